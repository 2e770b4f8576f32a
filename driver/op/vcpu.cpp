#include "driver/op/vcpu.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/agent.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/define.hpp"
#include "driver/op/find.hpp"
#include "driver/op/thread_times.hpp"
#include "driver/qmp/client.hpp"
#include "driver/stop.hpp"
#include "security/kernel/affinity.hpp"

#include <algorithm>
#include <unistd.h>

namespace cloister {

namespace {

namespace json = boost::json;

constexpr std::uint32_t maximum = 4, from_guest = 8, hotpluggable = 16;
using Cpus = std::vector<std::uint32_t>;

std::uint32_t most(const Domain& domain) { return domain.vcpu ? domain.vcpu->count : 1; }
std::uint32_t plugged(const Domain& domain) {
    return domain.vcpu ? domain.vcpu->current.value_or(domain.vcpu->count) : 1;
}
std::uint32_t host_cpus() {
    return static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
}

// ---- CPU maps: bit N of byte N / 8 --------------------------------------------------------

Cpus cpus_in(const std::vector<std::uint8_t>& map) {
    Cpus out;
    for (std::uint32_t cpu = 0; cpu < map.size() * 8; ++cpu)
        if (map[cpu / 8] & (1u << (cpu % 8))) out.push_back(cpu);
    return out;
}
void put_map(std::vector<std::uint8_t>& out, const Cpus& cpus, std::size_t bytes) {
    const auto at = out.size();
    out.resize(at + bytes, 0);
    for (const auto cpu : cpus)
        if (cpu / 8 < bytes)
            out[at + cpu / 8] = static_cast<std::uint8_t>(out[at + cpu / 8] | (1u << (cpu % 8)));
}
Cpus every_cpu() {
    Cpus out(host_cpus());
    for (std::uint32_t i = 0; i < out.size(); ++i) out[i] = i;
    return out;
}
Result<std::size_t> map_length(std::int32_t bytes) {
    if (bytes < 0 || bytes > 2048)
        return refuse(Code::invalid_arg, tr("CPU map length {0} is out of range", bytes));
    return static_cast<std::size_t>(bytes);
}

/// What the definition says of one virtual CPU (nullopt: of QEMU's other threads).
Cpus pinned(const Domain& domain, std::optional<std::uint32_t> vcpu) {
    if (domain.cputune) {
        if (!vcpu && domain.cputune->emulatorpin) return domain.cputune->emulatorpin->cpuset.cpus;
        for (const auto& pin : domain.cputune->vcpupin)
            if (vcpu && pin.vcpu == *vcpu) return pin.cpuset.cpus;
    }
    if (domain.vcpu && domain.vcpu->cpuset) return domain.vcpu->cpuset->cpus;
    return every_cpu();
}

std::shared_ptr<const Domain> with_pin(const Domain& before, std::optional<std::uint32_t> vcpu, Cpus cpus) {
    auto domain = before;
    if (!domain.cputune) domain.cputune.emplace();
    auto& tune = *domain.cputune;
    if (!vcpu) {
        tune.emulatorpin = EmulatorPin{.cpuset = {std::move(cpus)}};
    } else {
        const auto at = std::ranges::find(tune.vcpupin, *vcpu, &VcpuPin::vcpu);
        if (at != tune.vcpupin.end())
            at->cpuset.cpus = std::move(cpus);
        else
            tune.vcpupin.push_back({.vcpu = *vcpu, .cpuset = {std::move(cpus)}});
        std::ranges::sort(tune.vcpupin, {}, &VcpuPin::vcpu);
    }
    return std::make_shared<const Domain>(std::move(domain));
}

Task<Result<>> pin(Call call, call::DomainHandle handle, std::optional<std::uint32_t> vcpu,
                   std::vector<std::uint8_t> map, std::uint32_t flags, std::string_view function) {
    CO_CHECK(check_flags(flags, affect_live | affect_config, function));
    CO_TRY(guest, find(call, handle));
    CO_TRY(turn, co_await change(guest, vcpu ? "virDomainPinVcpuFlags" : "virDomainPinEmulator"));
    CO_TRY(where, affect(*guest, flags));
    const auto cpus = cpus_in(map);
    if (cpus.empty()) co_return refuse(Code::invalid_arg, tr("Empty cpu list for pinning"));
    const auto out_of_range = [&](const Domain& domain) { return vcpu && *vcpu >= most(domain); };
    if ((where.live && out_of_range(*guest->live)) || (where.config && out_of_range(*guest->definition)))
        co_return refuse(Code::invalid_arg, tr("vcpu {0} is out of range of persistent cpu count {1}", *vcpu,
                                               most(*guest->current())));
    if (where.live) {
        if (vcpu) {
            const auto& threads = guest->running->vcpus;
            const auto at = std::ranges::find(threads, *vcpu, &VcpuThread::index);
            if (at == threads.end())
                co_return refuse(Code::operation_invalid, tr("vcpu {0} is not active", *vcpu));
            CO_CHECK(set_affinity(at->tid, cpus));
        } else {
            CO_CHECK(set_affinity(guest->running->pid, cpus));
        }
        guest->live = with_pin(*guest->live, vcpu, cpus);
        co_await status_saved(call.driver, guest);
        const auto what =
            vcpu ? "cputune.vcpupin" + std::to_string(*vcpu) : std::string("cputune.emulatorpin");
        const event::Tunable told{.domain = guest->ref(), .params = {{what, printed(CpuSet{cpus})}}};
        call.driver->events().emit(told);
    }
    if (where.config)
        CO_CHECK(co_await store_definition(*call.driver, guest, with_pin(*guest->definition, vcpu, cpus)));
    co_return Result<>{};
}

// ---- plugging ---------------------------------------------------------------------------

/// One CPU that can be plugged, as query-hotpluggable-cpus describes it.
struct Slot {
    std::string type{};
    json::object props{};
};

std::vector<Slot> free_slots(const json::value& answer) {
    std::vector<Slot> out;
    if (!answer.is_array()) return out;
    for (const auto& entry : answer.get_array()) {
        const auto* members = entry.if_object();
        if (!members || members->contains("qom-path")) continue;
        const auto* type = members->if_contains("type");
        const auto* props = members->if_contains("props");
        if (type && type->is_string() && props && props->is_object())
            out.push_back({std::string(type->get_string()), props->get_object()});
    }
    std::ranges::reverse(out); // QEMU lists the last CPU first
    return out;
}

Task<Result<>> plug(GuestPointer guest, std::uint32_t wanted) {
    const auto run = guest->run;
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(answer, co_await monitor->execute("query-hotpluggable-cpus"));
    const auto slots = free_slots(answer);
    auto have = plugged(*guest->live);
    for (const auto& slot : slots) {
        if (have >= wanted) break;
        auto device = slot.props;
        device["driver"] = slot.type;
        device["id"] = "vcpu" + std::to_string(have);
        CO_TRY(done, co_await monitor->execute("device_add", std::move(device)));
        ++have;
    }
    CO_TRY(cpus, co_await monitor->execute("query-cpus-fast"));
    if (guest->run != run || !guest->running)
        co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    std::vector<VcpuThread> threads;
    if (const auto* list = cpus.if_array())
        for (const auto& cpu : *list) {
            const auto* o = cpu.if_object();
            if (!o || !o->if_contains("cpu-index") || !o->if_contains("thread-id")) continue;
            VcpuThread thread{.index = o->at("cpu-index").to_number<unsigned>(),
                              .tid = o->at("thread-id").to_number<pid_t>()};
            if (const auto* path = o->if_contains("qom-path"); path && path->is_string())
                thread.qom_path = std::string(path->get_string());
            threads.push_back(std::move(thread));
        }
    guest->running->vcpus = std::move(threads);
    auto live = *guest->live;
    if (live.vcpu) live.vcpu->current = have;
    guest->live = std::make_shared<const Domain>(std::move(live));
    if (have < wanted)
        co_return refuse(Code::operation_unsupported, tr("this machine has no place for another CPU"));
    co_return Result<>{};
}

/// Counting CPUs is left to the calls that name them.
Result<> not_through_agent(const Guest& guest) {
    TRY(need_running(guest));
    TRY(need_agent(guest));
    return refuse(Code::operation_unsupported,
                  tr("virtual CPUs are counted by QEMU only: ask the guest agent which are online "
                     "(virDomainGetGuestVcpus, virDomainSetGuestVcpus)"));
}

Task<Result<>> set_vcpus(Call call, call::DomainHandle handle, std::uint32_t count, std::uint32_t flags) {
    CO_CHECK(check_flags(flags, affect_live | affect_config | maximum | from_guest | hotpluggable,
                         "qemuDomainSetVcpusFlags"));
    CO_TRY(guest, find(call, handle));
    CO_TRY(turn, co_await change(guest, "virDomainSetVcpusFlags"));
    CO_TRY(where, affect(*guest, flags));
    if (flags & from_guest) co_return not_through_agent(*guest);
    if (count == 0) co_return refuse(Code::invalid_arg, tr("invalid number of vCPUs: 0"));
    auto next = *guest->definition;
    if (!next.vcpu) next.vcpu.emplace();
    if (flags & maximum) {
        if (where.live)
            co_return refuse(Code::operation_invalid,
                             tr("maximum vcpu count of a live domain can't be modified"));
        if (next.cpu && next.cpu->topology)
            co_return refuse(Code::invalid_arg, tr("CPU topology doesn't match the desired vcpu count"));
        next.vcpu->count = count;
        if (next.vcpu->current && *next.vcpu->current >= count) next.vcpu->current.reset();
        co_return co_await store_definition(*call.driver, guest,
                                            std::make_shared<const Domain>(std::move(next)));
    }
    if (where.live && count > most(*guest->live))
        co_return refuse(Code::invalid_arg,
                         tr("requested vcpus is greater than max allowable vcpus for the live "
                            "domain: {0} > {1}",
                            count, most(*guest->live)));
    if (where.config && count > next.vcpu->count)
        co_return refuse(Code::invalid_arg, tr("requested vcpus is greater than max allowable vcpus for the "
                                               "persistent domain: {0} > {1}",
                                               count, next.vcpu->count));
    if (where.live) {
        if (count < plugged(*guest->live))
            co_return refuse(Code::operation_unsupported,
                             tr("virtual CPUs of a running domain cannot be unplugged"));
        if (count > plugged(*guest->live)) CO_CHECK(co_await plug(guest, count));
        co_await status_saved(call.driver, guest);
    }
    if (where.config) {
        next.vcpu->current = count;
        if (count == next.vcpu->count) next.vcpu->current.reset();
        CO_CHECK(
            co_await store_definition(*call.driver, guest, std::make_shared<const Domain>(std::move(next))));
    }
    co_return Result<>{};
}

} // namespace

Task<Result<DomainGetMaxVcpus::Out>> DomainGetMaxVcpus::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    if (guest->active()) co_return Out{static_cast<std::int32_t>(most(*guest->current()))};
    const auto definition = guest->definition;
    const auto type = definition->os.type.machine.value_or("");
    CO_TRY(caps, co_await call.driver->caps(definition->devices.emulator.value_or("")));
    const auto* machine = caps->machine(type);
    co_return Out{static_cast<std::int32_t>(machine ? machine->max_cpus : most(*definition))};
}

Task<Result<DomainGetVcpusFlags::Out>> DomainGetVcpusFlags::run(Call call, In in) {
    CO_CHECK(
        check_flags(in.flags, affect_live | affect_config | maximum | from_guest, "qemuDomainGetVcpusFlags"));
    CO_TRY(guest, find(call, in.dom));
    if (in.flags & from_guest) {
        CO_CHECK(not_through_agent(*guest));
    }
    CO_TRY(where, affect(*guest, in.flags));
    const auto& domain = where.live ? *guest->current() : *guest->definition;
    co_return Out{static_cast<std::int32_t>(in.flags & maximum ? most(domain) : plugged(domain))};
}

Task<Result<DomainGetVcpus::Out>> DomainGetVcpus::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    if (!guest->active() || guest->running->stopping)
        co_return refuse(Code::operation_invalid, tr("cannot retrieve vcpu information for inactive domain"));
    CO_TRY(bytes, map_length(in.maplen));
    Out out;
    for (const auto& thread : guest->running->vcpus) {
        if (out.info.items.size() >= static_cast<std::size_t>(std::max(0, in.maxinfo))) break;
        const auto times = thread_times(guest->running->pid, thread.tid).value_or(ThreadTimes{});
        constexpr std::int32_t runs = 1;
        out.info.items.push_back({.number = thread.index,
                                  .state = runs,
                                  .cpu_time = times.user_ns + times.system_ns,
                                  .cpu = times.cpu});
        const auto cpus = affinity_of(thread.tid);
        put_map(out.cpumaps.value, cpus ? *cpus : Cpus{}, bytes);
    }
    co_return out;
}

Task<Result<DomainSetVcpus::Out>> DomainSetVcpus::run(Call call, In in) {
    CO_CHECK(co_await set_vcpus(std::move(call), std::move(in.dom), in.nvcpus, affect_live));
    co_return Out{};
}
Task<Result<DomainSetVcpusFlags::Out>> DomainSetVcpusFlags::run(Call call, In in) {
    CO_CHECK(co_await set_vcpus(std::move(call), std::move(in.dom), in.nvcpus, in.flags));
    co_return Out{};
}

Task<Result<DomainPinVcpu::Out>> DomainPinVcpu::run(Call call, In in) {
    CO_CHECK(co_await pin(std::move(call), std::move(in.dom), in.vcpu, std::move(in.cpumap.value),
                          affect_live, "qemuDomainPinVcpu"));
    co_return Out{};
}
Task<Result<DomainPinVcpuFlags::Out>> DomainPinVcpuFlags::run(Call call, In in) {
    CO_CHECK(co_await pin(std::move(call), std::move(in.dom), in.vcpu, std::move(in.cpumap.value), in.flags,
                          "qemuDomainPinVcpuFlags"));
    co_return Out{};
}
Task<Result<DomainPinEmulator::Out>> DomainPinEmulator::run(Call call, In in) {
    CO_CHECK(co_await pin(std::move(call), std::move(in.dom), std::nullopt, std::move(in.cpumap.value),
                          in.flags, "qemuDomainPinEmulator"));
    co_return Out{};
}

Task<Result<DomainGetVcpuPinInfo::Out>> DomainGetVcpuPinInfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainGetVcpuPinInfo"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(where, affect(*guest, in.flags));
    CO_TRY(bytes, map_length(in.maplen));
    const auto& domain = where.live ? *guest->current() : *guest->definition;
    Out out;
    const auto count =
        std::min<std::uint32_t>(most(domain), static_cast<std::uint32_t>(std::max(0, in.ncpumaps)));
    for (std::uint32_t vcpu = 0; vcpu < count; ++vcpu)
        put_map(out.cpumaps.value, pinned(domain, vcpu), bytes);
    out.num = static_cast<std::int32_t>(count);
    co_return out;
}

Task<Result<DomainGetEmulatorPinInfo::Out>> DomainGetEmulatorPinInfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainGetEmulatorPinInfo"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(where, affect(*guest, in.flags));
    CO_TRY(bytes, map_length(in.maplen));
    Out out{.ret = 1};
    put_map(out.cpumaps.value, pinned(where.live ? *guest->current() : *guest->definition, std::nullopt),
            bytes);
    co_return out;
}

} // namespace cloister
