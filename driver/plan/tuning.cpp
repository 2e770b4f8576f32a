#include "driver/plan/tuning.hpp"

#include "conf/base/tr.hpp"

namespace cloister {
namespace {

std::unexpected<Error> no_effect(std::string_view element) {
    return fail(Code::config_unsupported,
                tr("<{0}> is not supported: it would have no effect, so the guest is not started", element));
}

Result<> refused(const Domain& domain) {
    if (domain.cputune) {
        const auto& tune = *domain.cputune;
        // Each of these is about a group of single threads; a guest has one group for all of them here.
        if (tune.period || tune.quota) return no_effect(tune.quota ? "quota" : "period");
        if (tune.emulator_period || tune.emulator_quota) return no_effect("emulator_quota");
        if (tune.iothread_period || tune.iothread_quota) return no_effect("iothread_quota");
        if (tune.emulatorsched) return no_effect("emulatorsched");
        if (!tune.vcpusched.empty()) return no_effect("vcpusched");
        if (!tune.iothreadsched.empty()) return no_effect("iothreadsched");
    }
    if (domain.perf)
        for (const auto& event : domain.perf->events)
            if (event.enabled == YesNo::yes) return no_effect("perf");
    return {};
}

std::optional<std::uint64_t> bytes(const std::optional<MemorySize>& size) {
    if (!size) return std::nullopt;
    return size->kib << 10;
}

} // namespace

Result<GroupTuning> tuning_of(const Domain& domain) {
    TRY(refused(domain));
    GroupTuning out;
    if (domain.cputune) {
        out.cpu_shares = domain.cputune->shares;
        out.cpu_period = domain.cputune->global_period;
        out.cpu_quota = domain.cputune->global_quota;
    }
    if (domain.memtune) {
        out.memory_max = bytes(domain.memtune->hard_limit);
        out.memory_high = bytes(domain.memtune->soft_limit);
        out.swap_max = bytes(domain.memtune->swap_hard_limit);
    }
    if (domain.blkiotune) {
        out.io_weight = domain.blkiotune->weight;
        for (const auto& device : domain.blkiotune->devices)
            out.io.push_back({.path = device.path,
                              .weight = device.weight,
                              .read_bytes = device.read_bytes_sec,
                              .write_bytes = device.write_bytes_sec,
                              .read_operations = device.read_iops_sec,
                              .write_operations = device.write_iops_sec});
    }
    return out;
}

ThreadPins pins_of(const Domain& domain) {
    ThreadPins out;
    const auto everywhere =
        domain.vcpu && domain.vcpu->cpuset ? domain.vcpu->cpuset->cpus : std::vector<std::uint32_t>{};
    out.rest = everywhere;
    if (!everywhere.empty())
        for (std::uint32_t i = 0; i < domain.vcpu->count; ++i) out.vcpus[i] = everywhere;
    if (!domain.cputune) return out;
    if (domain.cputune->emulatorpin) out.rest = domain.cputune->emulatorpin->cpuset.cpus;
    for (const auto& pin : domain.cputune->vcpupin) out.vcpus[pin.vcpu] = pin.cpuset.cpus;
    for (const auto& pin : domain.cputune->iothreadpin) out.iothreads[pin.iothread] = pin.cpuset.cpus;
    return out;
}

} // namespace cloister
