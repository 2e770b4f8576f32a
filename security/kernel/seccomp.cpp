#include "security/kernel/seccomp.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/fd.hpp"
#include "security/kernel/run.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cloister {
namespace {

std::uint32_t action(SeccompAction action) {
    switch (action) {
    case SeccompAction::kill: return SCMP_ACT_KILL_PROCESS;
    case SeccompAction::refuse: return SCMP_ACT_ERRNO(EPERM);
    case SeccompAction::not_there: return SCMP_ACT_ERRNO(ENOSYS);
    case SeccompAction::allow: return SCMP_ACT_ALLOW;
    }
    return SCMP_ACT_KILL_PROCESS;
}

int add(scmp_filter_ctx filter, const SeccompRule& rule, int call) {
    if (!rule.argument) return ::seccomp_rule_add_array(filter, action(rule.action), call, 0, nullptr);
    for (unsigned bit = 0; bit < 64; ++bit) { // "any of these bits" is a rule for each
        const auto mask = std::uint64_t{1} << bit;
        if ((rule.argument->mask & mask) == 0) continue;
        const scmp_arg_cmp compare{rule.argument->index, SCMP_CMP_MASKED_EQ, mask, mask};
        if (const int failed = ::seccomp_rule_add_array(filter, action(rule.action), call, 1, &compare);
            failed != 0)
            return failed;
    }
    return 0;
}

} // namespace

Result<std::string> compiled(const SeccompPolicy& policy) {
    const auto broken = [](int number) {
        return std::unexpected(system_error(-number, tr("cannot build the syscall filter"), Layer::seccomp));
    };
    const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(action(policy.otherwise)),
                                                                  &::seccomp_release);
    if (!filter) return broken(-ENOMEM);
    // i386 and x32 numbers would go round every rule.
    if (const int e = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        e != 0)
        return broken(e);
    // A binary search instead of a list: it runs at every system call for the life of the guest.
    if (const int e = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); e != 0) return broken(e);
    for (const auto& rule : policy.rules) {
        const int call = ::seccomp_syscall_resolve_name(rule.syscall.c_str());
        if (call < 0) continue; // not on this architecture
        if (const int e = add(filter.get(), rule, call); e != 0) return broken(e);
    }
    const Fd file(::memfd_create("filter", MFD_CLOEXEC));
    if (!file) return failed("make", "a memory file", Layer::seccomp);
    if (const int e = ::seccomp_export_bpf(filter.get(), file.n()); e != 0) return broken(e);
    if (::lseek(file.n(), 0, SEEK_SET) < 0) return failed("read", "the syscall filter", Layer::seccomp);
    auto bytes = read_file(fd_path(file.n()));
    if (!bytes) return failed("read", "the syscall filter", Layer::seccomp);
    return std::move(*bytes);
}

std::string syscall_name(int number) {
    const std::unique_ptr<char, void (*)(void*)> name(
        ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), &std::free);
    return name ? std::string(name.get()) : std::to_string(number);
}

} // namespace cloister
