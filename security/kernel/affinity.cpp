#include "security/kernel/affinity.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>
#include <sched.h>

namespace cloister {

namespace {

constexpr std::size_t most_cpus = 16384;

/// A CPU set of any size: the kernel refuses one that is smaller than its own.
struct Set {
    std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> bits{CPU_ALLOC(most_cpus),
                                                          [](cpu_set_t* s) { CPU_FREE(s); }};
    std::size_t size = CPU_ALLOC_SIZE(most_cpus);
    Set() { CPU_ZERO_S(size, bits.get()); }
};

} // namespace

Result<std::vector<std::uint32_t>> affinity_of(pid_t thread) {
    const Set set;
    if (::sched_getaffinity(thread, set.size, set.bits.get()) < 0)
        return std::unexpected(system_error(errno, tr("cannot get CPU affinity of process {0}", thread)));
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < most_cpus; ++i)
        if (CPU_ISSET_S(i, set.size, set.bits.get())) out.push_back(static_cast<std::uint32_t>(i));
    return out;
}

std::vector<pid_t> threads_of(pid_t process) {
    std::vector<pid_t> out;
    std::error_code gone;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
        const auto name = entry.path().filename().string();
        pid_t thread = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc{})
            out.push_back(thread);
    }
    return out;
}

Result<> set_affinity(pid_t thread, const std::vector<std::uint32_t>& cpus) {
    if (cpus.empty()) return fail(Code::invalid_arg, tr("Empty cpu list for pinning"));
    const Set set;
    for (const auto cpu : cpus)
        if (cpu < most_cpus) CPU_SET_S(std::size_t{cpu}, set.size, set.bits.get());
    if (::sched_setaffinity(thread, set.size, set.bits.get()) < 0)
        return std::unexpected(system_error(errno, tr("cannot set CPU affinity on process {0}", thread)));
    return {};
}

} // namespace cloister
