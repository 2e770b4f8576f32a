#include "driver/op/tuning.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/monitor_answers.hpp"
#include "driver/offload.hpp"
#include "driver/op/counters.hpp"
#include "driver/op/find.hpp"
#include "driver/op/group_values.hpp"
#include "driver/op/typed_params.hpp"
#include "driver/qmp/client.hpp"
#include "security/kernel/affinity.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace cloister {

namespace {

namespace json = boost::json;

constexpr std::uint32_t texts_welcome = 4;
/// virDomainGetMemoryParameters' "unlimited", in KiB.
constexpr std::uint64_t unlimited = 9'007'199'254'740'991;

/// What a getter looks at, and whether that runs.
struct Looked {
    GuestPointer guest{};
    std::shared_ptr<const Domain> domain{};
    bool live = false;
    bool texts = false;
};
Result<Looked> look(const Call& call, const call::DomainHandle& handle, std::uint32_t flags,
                    std::string_view function) {
    TRY(check_flags(flags, affect_live | affect_config | texts_welcome, function));
    if ((flags & affect_live) && (flags & affect_config))
        return refuse(Code::invalid_arg, tr("flags 'affect live' and 'affect config' exclude each other"));
    auto guest = TRY(find(call, handle));
    const auto where = TRY(affect(*guest, flags & (affect_live | affect_config)));
    return Looked{.guest = guest,
                  .domain = where.live ? guest->current() : guest->definition,
                  .live = where.live,
                  .texts = (flags & texts_welcome) != 0};
}

Task<GroupValues> groups_of(Driver* driver, GuestPointer guest) {
    auto read = [at = group_folders(*driver, *guest)] { return read_groups(at); };
    co_return co_await offload(driver->workers(), std::move(read));
}

template <class Out> Out answer(TypedParams params, const Looked& at, std::int32_t most) {
    if (!at.texts) params.drop_texts();
    return std::move(params).answer<Out>(most);
}

/// How many there are is no question about a state, or about a device: the reference asks neither for these.
template <class Out> std::optional<Out> only_their_number(std::int32_t asked, std::int32_t there) {
    if (asked != 0) return std::nullopt;
    return Out{.nparams = there};
}

// ---- scheduler ------------------------------------------------------------------------------

Task<Result<TypedParams>> scheduling(Driver* driver, Looked at) {
    constexpr std::uint64_t period = 100'000;
    constexpr std::int64_t no_quota = -1;
    TypedParams out;
    const auto tune = at.domain->cputune.value_or(CpuTune{});
    if (!at.live) {
        out.add("cpu_shares", tune.shares.value_or(0));
        out.add("vcpu_period", tune.period.value_or(0));
        out.add("vcpu_quota", tune.quota.value_or(0));
        out.add("emulator_period", tune.emulator_period.value_or(0));
        out.add("emulator_quota", tune.emulator_quota.value_or(0));
        out.add("global_period", tune.global_period.value_or(0));
        out.add("global_quota", tune.global_quota.value_or(0));
        out.add("iothread_period", tune.iothread_period.value_or(0));
        out.add("iothread_quota", tune.iothread_quota.value_or(0));
        co_return out;
    }
    const auto kernel = co_await groups_of(driver, at.guest);
    if (!kernel.cpu_shares)
        co_return refuse(Code::operation_invalid, tr("cgroup CPU controller is not mounted"));
    // The guest is one group: no kind of its threads has a limit of its own.
    out.add("cpu_shares", *kernel.cpu_shares);
    out.add("vcpu_period", period);
    out.add("vcpu_quota", no_quota);
    out.add("emulator_period", period);
    out.add("emulator_quota", no_quota);
    out.add("global_period", kernel.cpu_period.value_or(period));
    out.add("global_quota", kernel.cpu_quota.value_or(no_quota));
    out.add("iothread_period", period);
    out.add("iothread_quota", no_quota);
    co_return out;
}

// ---- block I/O ------------------------------------------------------------------------------

/// "PATH,VALUE,PATH,VALUE" of the devices that have one.
template <class Member> std::string per_device(const BlkioTune& tune, Member member) {
    std::string out;
    for (const auto& device : tune.devices)
        if (device.*member)
            out += fmt::format("{}{},{}", out.empty() ? "" : ",", device.path, *(device.*member));
    return out;
}

TypedParams block_weights(const BlkioTune& tune, std::uint32_t weight) {
    TypedParams out;
    out.add("weight", weight);
    out.add("device_weight", per_device(tune, &BlkioDevice::weight));
    out.add("device_read_iops_sec", per_device(tune, &BlkioDevice::read_iops_sec));
    out.add("device_write_iops_sec", per_device(tune, &BlkioDevice::write_iops_sec));
    out.add("device_read_bytes_sec", per_device(tune, &BlkioDevice::read_bytes_sec));
    out.add("device_write_bytes_sec", per_device(tune, &BlkioDevice::write_bytes_sec));
    return out;
}

struct IoLimit {
    const char* name;
    IoTune::Limit IoTune::* value;
};
constexpr IoLimit io_limits[]{{"total_bytes_sec", &IoTune::total_bytes},
                              {"read_bytes_sec", &IoTune::read_bytes},
                              {"write_bytes_sec", &IoTune::write_bytes},
                              {"total_iops_sec", &IoTune::total_iops},
                              {"read_iops_sec", &IoTune::read_iops},
                              {"write_iops_sec", &IoTune::write_iops},
                              {"total_bytes_sec_max", &IoTune::total_bytes_max},
                              {"read_bytes_sec_max", &IoTune::read_bytes_max},
                              {"write_bytes_sec_max", &IoTune::write_bytes_max},
                              {"total_iops_sec_max", &IoTune::total_iops_max},
                              {"read_iops_sec_max", &IoTune::read_iops_max},
                              {"write_iops_sec_max", &IoTune::write_iops_max},
                              {"size_iops_sec", &IoTune::size_iops}};
constexpr IoLimit io_lengths[]{{"total_bytes_sec_max_length", &IoTune::total_bytes_max_length},
                               {"read_bytes_sec_max_length", &IoTune::read_bytes_max_length},
                               {"write_bytes_sec_max_length", &IoTune::write_bytes_max_length},
                               {"total_iops_sec_max_length", &IoTune::total_iops_max_length},
                               {"read_iops_sec_max_length", &IoTune::read_iops_max_length},
                               {"write_iops_sec_max_length", &IoTune::write_iops_max_length}};

TypedParams throttling(const IoTune& tune) {
    TypedParams out;
    for (const auto& limit : io_limits) out.add(limit.name, (tune.*limit.value).value_or(0));
    out.add("group_name", tune.group_name.value_or(""));
    for (const auto& limit : io_lengths) out.add(limit.name, (tune.*limit.value).value_or(0));
    return out;
}

// ---- network --------------------------------------------------------------------------------

const Interface* card_named(const Domain& domain, const std::string& name) {
    for (const auto* card : devices_of<Interface>(domain)) {
        const bool by_mac = card->mac && printed(card->mac->address) == name;
        if (by_mac || (card->target && card->target->dev == name)) return card;
    }
    return nullptr;
}

void add_bandwidth(TypedParams& out, const std::string& head, const std::optional<BandwidthLimits>& limits,
                   bool floor) {
    const auto one = limits.value_or(BandwidthLimits{});
    const auto add = [&](const char* name, const std::optional<std::uint64_t>& value) {
        out.add(head + name,
                static_cast<std::uint32_t>(std::min<std::uint64_t>(value.value_or(0), UINT32_MAX)));
    };
    add("average", one.average);
    add("peak", one.peak);
    add("burst", one.burst);
    if (floor) add("floor", one.floor);
}

// ---- I/O threads ----------------------------------------------------------------------------

using Cpus = std::vector<std::uint32_t>;

call::DomainIothreadInfo thread_info(std::uint32_t id, const Cpus& cpus) {
    const auto all = static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
    call::DomainIothreadInfo out{.iothread_id = id};
    out.cpumap.value.resize(std::min<std::size_t>((all + 7) / 8, 2048), 0);
    for (const auto cpu : cpus)
        if (auto& map = out.cpumap.value; cpu / 8 < map.size())
            map[cpu / 8] = static_cast<std::uint8_t>(map[cpu / 8] | (1u << (cpu % 8)));
    return out;
}

Cpus stored_cpus(const Domain& domain, std::uint32_t id) {
    if (domain.cputune)
        for (const auto& pin : domain.cputune->iothreadpin)
            if (pin.iothread == id) return pin.cpuset.cpus;
    if (domain.vcpu && domain.vcpu->cpuset) return domain.vcpu->cpuset->cpus;
    Cpus all(static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF))));
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    return all;
}

/// Their numbers in the definition: those that are named, then the lowest that are free.
Cpus stored_threads(const Domain& domain) {
    Cpus out;
    if (domain.iothreadids)
        for (const auto& thread : domain.iothreadids->threads) out.push_back(thread.id);
    for (std::uint32_t id = 1; out.size() < domain.iothreads.value_or(0); ++id)
        if (std::ranges::find(out, id) == out.end()) out.push_back(id);
    return out;
}

Task<Result<std::vector<call::DomainIothreadInfo>>> live_threads(GuestPointer guest) {
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(answer, co_await monitor->execute("query-iothreads"));
    std::vector<call::DomainIothreadInfo> out; // in the order of their numbers
    for (const auto& [id, thread] : iothreads_in(answer)) {
        CO_TRY(cpus, affinity_of(thread));
        out.push_back(thread_info(id, cpus));
    }
    co_return out;
}

constexpr const char* perf_events[]{"cmt",
                                    "mbmt",
                                    "mbml",
                                    "cpu_cycles",
                                    "instructions",
                                    "cache_references",
                                    "cache_misses",
                                    "branch_instructions",
                                    "branch_misses",
                                    "bus_cycles",
                                    "stalled_cycles_frontend",
                                    "stalled_cycles_backend",
                                    "ref_cpu_cycles",
                                    "cpu_clock",
                                    "task_clock",
                                    "page_faults",
                                    "context_switches",
                                    "cpu_migrations",
                                    "page_faults_min",
                                    "page_faults_maj",
                                    "alignment_faults",
                                    "emulation_faults"};

} // namespace

Task<Result<DomainGetSchedulerType::Out>> DomainGetSchedulerType::run(Call call, In in) {
    constexpr std::int32_t parameters = 9;
    CO_TRY(guest, find(call, in.dom));
    co_return Out{.type = {"posix"}, .nparams = parameters};
}

Task<Result<DomainGetSchedulerParameters::Out>> DomainGetSchedulerParameters::run(Call call, In in) {
    CO_TRY(at, look(call, in.dom, 0, "qemuDomainGetSchedulerParameters"));
    CO_TRY(params, co_await scheduling(call.driver, at));
    co_return answer<Out>(std::move(params), at, in.nparams);
}
Task<Result<DomainGetSchedulerParametersFlags::Out>> DomainGetSchedulerParametersFlags::run(Call call,
                                                                                            In in) {
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetSchedulerParametersFlags"));
    CO_TRY(params, co_await scheduling(call.driver, at));
    co_return answer<Out>(std::move(params), at, in.nparams);
}

Task<Result<DomainGetMemoryParameters::Out>> DomainGetMemoryParameters::run(Call call, In in) {
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetMemoryParameters"));
    TypedParams params;
    if (at.live) {
        const auto kernel = co_await groups_of(call.driver, at.guest);
        if (!kernel.hard_limit)
            co_return refuse(Code::operation_invalid, tr("cgroup memory controller is not mounted"));
        const auto kib = [](std::optional<std::uint64_t> bytes) {
            return !bytes || *bytes == UINT64_MAX ? unlimited : *bytes / 1024;
        };
        params.add("hard_limit", kib(kernel.hard_limit));
        params.add("soft_limit", kib(kernel.soft_limit));
        params.add("swap_hard_limit", kib(kernel.swap_hard_limit));
    } else {
        const auto tune = at.domain->memtune.value_or(MemTune{});
        const auto kib = [](const std::optional<MemorySize>& size) { return size ? size->kib : unlimited; };
        params.add("hard_limit", kib(tune.hard_limit));
        params.add("soft_limit", kib(tune.soft_limit));
        params.add("swap_hard_limit", kib(tune.swap_hard_limit));
    }
    co_return answer<Out>(std::move(params), at, in.nparams);
}

Task<Result<DomainGetBlkioParameters::Out>> DomainGetBlkioParameters::run(Call call, In in) {
    if (auto number = only_their_number<Out>(in.nparams, 6)) co_return *number;
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetBlkioParameters"));
    const auto tune = at.domain->blkiotune.value_or(BlkioTune{});
    auto weight = tune.weight.value_or(0);
    if (at.live) {
        const auto kernel = co_await groups_of(call.driver, at.guest);
        if (!kernel.blkio_weight) co_return refuse(Code::operation_invalid, tr("blkio cgroup isn't mounted"));
        weight = *kernel.blkio_weight;
    }
    co_return answer<Out>(block_weights(tune, weight), at, in.nparams);
}

Task<Result<DomainGetBlockIoTune::Out>> DomainGetBlockIoTune::run(Call call, In in) {
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetBlockIoTune"));
    if (!in.disk) co_return answer<Out>(throttling({}), at, in.nparams); // how many there are
    const auto* disk = disk_named(*at.domain, in.disk->value);
    if (!disk)
        co_return refuse(Code::invalid_arg,
                         at.live ? tr("disk '{0}' not found in domain", in.disk->value)
                                 : tr("disk '{0}' was not found in the domain config", in.disk->value));
    co_return answer<Out>(throttling(disk->iotune.value_or(IoTune{})), at, in.nparams);
}

Task<Result<DomainGetNumaParameters::Out>> DomainGetNumaParameters::run(Call call, In in) {
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetNumaParameters"));
    const auto tune = at.domain->numatune.value_or(NumaTune{});
    const auto memory = tune.memory.value_or(NumaTuneMemory{});
    TypedParams params;
    params.add("numa_mode", static_cast<std::int32_t>(memory.mode.value_or(NumaTuneMode::strict)));
    params.add("numa_nodeset", memory.nodeset ? printed(*memory.nodeset) : std::string());
    co_return answer<Out>(std::move(params), at, in.nparams);
}

Task<Result<DomainGetInterfaceParameters::Out>> DomainGetInterfaceParameters::run(Call call, In in) {
    if (auto number = only_their_number<Out>(in.nparams, 7)) co_return *number;
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetInterfaceParameters"));
    const auto* card = card_named(*at.domain, in.device.value);
    if (!card) co_return refuse(Code::invalid_arg, tr("'{0}' is not a known interface", in.device.value));
    const auto limits = card->bandwidth.value_or(Bandwidth{});
    TypedParams params;
    add_bandwidth(params, "inbound.", limits.inbound, true);
    add_bandwidth(params, "outbound.", limits.outbound, false);
    co_return answer<Out>(std::move(params), at, in.nparams);
}

Task<Result<DomainGetIothreadInfo::Out>> DomainGetIothreadInfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainGetIOThreadInfo"));
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetIOThreadInfo"));
    Out out;
    if (at.live) {
        CO_TRY(threads, co_await live_threads(at.guest));
        out.info.items = std::move(threads);
    } else {
        for (const auto id : stored_threads(*at.domain))
            out.info.items.push_back(thread_info(id, stored_cpus(*at.domain, id)));
    }
    out.ret = static_cast<std::uint32_t>(out.info.items.size());
    co_return out;
}

Task<Result<DomainGetPerfEvents::Out>> DomainGetPerfEvents::run(Call call, In in) {
    CO_TRY(at, look(call, in.dom, in.flags, "qemuDomainGetPerfEvents"));
    TypedParams params;
    for (const auto* name : perf_events) {
        // A running guest is measured by none: <perf> of a definition has no effect yet.
        bool on = false;
        if (!at.live && at.domain->perf)
            for (const auto& event : at.domain->perf->events)
                if (event.name == name) on = event.enabled == YesNo::yes;
        params.add(name, on);
    }
    co_return Out{{std::move(params.items)}};
}

Task<Result<DomainGetDiskErrors::Out>> DomainGetDiskErrors::run(Call call, In in) {
    constexpr std::int32_t unspecified = 1, no_space = 2;
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetDiskErrors"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    if (in.maxerrors == 0)
        co_return Out{.nerrors = static_cast<std::int32_t>(devices_of<Disk>(*guest->current()).size())};
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(blocks, co_await monitor->execute("query-block"));
    const auto domain = guest->current();
    Out out;
    for (const auto* disk : devices_of<Disk>(*domain)) {
        const auto status = io_status(blocks, disk->info.alias ? disk->info.alias->name : "");
        const auto error = status == "failed" ? unspecified : status == "nospace" ? no_space : 0;
        if (error && out.errors.items.size() < in.maxerrors)
            out.errors.items.push_back({.disk = {disk->target.dev.value_or("")}, .error = error});
    }
    out.nerrors = static_cast<std::int32_t>(out.errors.items.size());
    co_return out;
}

} // namespace cloister
