#include "driver/pins.hpp"

#include "conf/base/tr.hpp"
#include "driver/driver.hpp"
#include "driver/guest.hpp"
#include "driver/monitor_answers.hpp"
#include "driver/offload.hpp"
#include "driver/plan/tuning.hpp"
#include "driver/qmp/client.hpp"
#include "security/kernel/affinity.hpp"

#include <set>

namespace cloister {
namespace {

using Cpus = std::vector<std::uint32_t>;
struct Pin {
    pid_t thread = 0;
    Cpus cpus{};
};

/// Threads come and go while QEMU starts: what is not one of the named is whatever is there now.
Result<> apply_pins(pid_t process, const std::vector<Pin>& named, const Cpus& rest) {
    std::set<pid_t> own;
    for (const auto& pin : named) {
        TRY(set_affinity(pin.thread, pin.cpus));
        own.insert(pin.thread);
    }
    if (rest.empty()) return {};
    for (const auto thread : threads_of(process))
        if (!own.contains(thread))
            if (auto done = set_affinity(thread, rest); !done && done.error().sys_errno != ESRCH) return done;
    return {};
}

} // namespace

Task<Result<>> pin_threads(Driver* driver, std::shared_ptr<Guest> guest) {
    auto pins = pins_of(*guest->live);
    if (pins == ThreadPins{}) co_return Result<>{};
    std::vector<Pin> named;
    for (const auto& vcpu : guest->running->vcpus)
        if (const auto at = pins.vcpus.find(vcpu.index); at != pins.vcpus.end())
            named.push_back({vcpu.tid, at->second});
    if (!pins.iothreads.empty()) {
        const auto monitor = guest->running->monitor;
        CO_TRY(answer, co_await monitor->execute("query-iothreads"));
        const auto threads = iothreads_in(answer);
        for (const auto& [id, cpus] : pins.iothreads) {
            const auto at = threads.find(id);
            if (at == threads.end())
                co_return fail(Code::operation_invalid,
                               tr("<iothreadpin> names I/O thread {0}, which there is not", id));
            named.push_back({at->second, cpus});
        }
    }
    auto apply = [process = guest->running->pid, named = std::move(named), rest = std::move(pins.rest)] {
        return apply_pins(process, named, rest);
    };
    co_return co_await offload(driver->workers(), std::move(apply));
}

} // namespace cloister
