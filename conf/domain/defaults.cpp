#include "conf/domain/defaults.hpp"

#include "conf/domain/devices.hpp"

#include <algorithm>
#include <set>

namespace cloister {
namespace {

// ---- memory -------------------------------------------------------------------------------

std::uint64_t numa_kib(const Domain& domain) {
    std::uint64_t sum = 0;
    if (domain.cpu && domain.cpu->numa)
        for (const auto& cell : domain.cpu->numa->cells) sum += cell.memory_kib;
    return sum;
}
std::uint64_t module_kib(const Domain& domain) {
    std::uint64_t sum = 0;
    for (const auto* module : devices_of<MemoryModule>(domain))
        if (module->target && module->target->size) sum += module->target->size->kib;
    return sum;
}

/// Cells in the order of their ids, every one with its id.
void order_cells(Domain& domain) {
    if (!domain.cpu || !domain.cpu->numa) return;
    auto& cells = domain.cpu->numa->cells;
    for (std::size_t i = 0; i < cells.size(); ++i)
        if (!cells[i].id) cells[i].id = static_cast<std::uint32_t>(i);
    std::ranges::stable_sort(cells, {}, [](const NumaCell& cell) { return *cell.id; });
}

/// vCPUs that no cell claims belong to the first.
void spread_vcpus(Domain& domain) {
    if (!domain.cpu || !domain.cpu->numa || domain.cpu->numa->cells.empty()) return;
    auto& cells = domain.cpu->numa->cells;
    const auto& topology = domain.cpu->topology;
    const auto count = domain.vcpu->count;
    if (topology &&
        std::uint64_t{topology->sockets} * topology->dies.value_or(1) * topology->cores * topology->threads !=
            count)
        return;
    if (std::ranges::none_of(cells, [](const NumaCell& cell) { return cell.cpus.has_value(); })) return;
    if (!cells.front().cpus) return;
    for (std::uint32_t cpu = 0; cpu < count; ++cpu)
        if (std::ranges::none_of(cells, [&](const NumaCell& c) { return c.cpus && c.cpus->contains(cpu); }))
            cells.front().cpus->cpus.push_back(cpu);
    std::ranges::sort(cells.front().cpus->cpus);
}

void complete_memory(Domain& domain, Origin origin) {
    order_cells(domain);
    if (!domain.memory) domain.memory.emplace();
    const auto cells = numa_kib(domain);
    if (cells && (origin == Origin::fresh || domain.memory->kib == 0))
        domain.memory->kib = cells + module_kib(domain);
    const auto total = domain.memory->kib;
    if (!domain.current_memory) domain.current_memory.emplace();
    auto& current = domain.current_memory->kib;
    if (current == 0 || current > total) current = total;
    if (domain.memory_backing && *domain.memory_backing == MemoryBacking{}) domain.memory_backing.reset();
}

// ---- vcpus and threads --------------------------------------------------------------------

void complete_vcpus(Domain& domain) {
    if (!domain.vcpu) domain.vcpu.emplace();
    auto& vcpu = *domain.vcpu;
    auto* numa = domain.numatune && domain.numatune->memory ? &*domain.numatune->memory : nullptr;
    if (!vcpu.placement) {
        const bool automatic = !vcpu.cpuset && numa && numa->placement == Placement::auto_;
        vcpu.placement = automatic ? Placement::auto_ : Placement::static_;
    }
    if (vcpu.placement == Placement::auto_) vcpu.cpuset.reset();
    if (vcpu.current == vcpu.count) vcpu.current.reset();
    if (numa && !numa->placement && !numa->nodeset) numa->placement = vcpu.placement;
    if (numa && numa->nodeset) numa->placement.reset(); // a node set says static
    if (vcpu.placement == Placement::auto_ && !domain.numatune)
        domain.numatune =
            NumaTune{.memory = NumaTuneMemory{.mode = NumaTuneMode::strict, .placement = Placement::auto_}};
}

void complete_iothreads(Domain& domain) {
    const auto listed = domain.iothreadids ? domain.iothreadids->threads.size() : 0;
    if (listed == 0) {
        if (domain.iothreads == 0u) domain.iothreads.reset();
        return;
    }
    auto& threads = domain.iothreadids->threads;
    const auto wanted = std::max<std::size_t>(domain.iothreads.value_or(0), listed);
    domain.iothreads = static_cast<std::uint32_t>(wanted);
    for (std::uint32_t id = 1; threads.size() < wanted; ++id)
        if (std::ranges::find(threads, id, &IoThreadId::id) == threads.end()) threads.push_back({.id = id});
}

/// One element per thread, as the reference stores it.
template <class S> void split_schedulers(std::vector<S>& schedulers, CpuSet S::* set) {
    std::vector<S> split;
    for (const auto& scheduler : schedulers)
        for (const auto id : (scheduler.*set).cpus) {
            auto& one = split.emplace_back(scheduler);
            (one.*set).cpus = {id};
        }
    std::ranges::stable_sort(split, {}, [&](const S& s) { return (s.*set).cpus.front(); });
    schedulers = std::move(split);
}

void complete_scheduling(Domain& domain) {
    if (!domain.cputune) return;
    auto& tune = *domain.cputune;
    split_schedulers(tune.vcpusched, &VcpuSched::vcpus);
    split_schedulers(tune.iothreadsched, &IoThreadSched::iothreads);
    std::ranges::stable_sort(tune.vcpupin, {}, &VcpuPin::vcpu);
    std::ranges::stable_sort(tune.iothreadpin, {}, &IoThreadPin::iothread);
}

void complete_features(Domain& domain) {
    if (!domain.features) return;
    auto& features = *domain.features;
    if (features.hyperv && !features.hyperv->mode) features.hyperv->mode = HypervMode::custom;
    for (auto* state : {&features.pvspinlock, &features.pmu, &features.vmport, &features.vmcoreinfo})
        if (*state && !(*state)->state) (*state)->state = Switch::on;
    if (features.smm && !features.smm->state) features.smm->state = Switch::on;
}

// ---- operating system ---------------------------------------------------------------------

bool has_device_boot(const Domain& domain) {
    return std::ranges::any_of(domain.devices.list, [](const Device& device) {
        const auto* info = info_of(device);
        return info && info->boot;
    });
}

void complete_os(Domain& domain) {
    if (domain.os.boot.empty() && !has_device_boot(domain)) domain.os.boot.push_back({.dev = BootDevice::hd});
    if (!domain.on_poweroff) domain.on_poweroff = LifecycleAction::destroy;
    if (!domain.on_reboot) domain.on_reboot = LifecycleAction::restart;
    if (!domain.on_crash) domain.on_crash = LifecycleAction::destroy;
    if (!domain.clock) domain.clock.emplace();
    if (!domain.clock->offset) domain.clock->offset = ClockOffset::utc;
}

// ---- disks --------------------------------------------------------------------------------

/// "vda" → 0, "sdab" → 27; the letters behind a known prefix. Partitions ("hda1") count as their disk.
std::size_t target_index(const Disk& disk) {
    std::string_view name = disk.target.dev ? std::string_view(*disk.target.dev) : std::string_view{};
    for (const std::string_view prefix : {"fd", "hd", "vd", "sd", "xvd", "ubd"})
        if (name.starts_with(prefix)) {
            name.remove_prefix(prefix.size());
            break;
        }
    std::size_t index = 0;
    for (const char c : name) {
        if (c < 'a' || c > 'z' || index > 1'000'000) break;
        index = index * 26 + static_cast<std::size_t>(c - 'a' + 1);
    }
    return index == 0 ? 0 : index - 1;
}

void group_disks(Domain& domain) {
    std::vector<Device> sorted;
    sorted.reserve(domain.devices.list.size());
    for (auto& device : domain.devices.list)
        if (auto* disk = std::get_if<Disk>(&device)) insert_disk(sorted, std::move(*disk));
    for (auto& device : domain.devices.list)
        if (!std::holds_alternative<Disk>(device)) sorted.push_back(std::move(device));
    domain.devices.list = std::move(sorted);
}

// ---- consoles -----------------------------------------------------------------------------

/// Gives every port that has no number the lowest that nobody has.
template <class D> void number_ports(Domain& domain) {
    std::set<std::uint32_t> taken;
    for_each<D>(domain, [&](const D& device) {
        if (device.target && device.target->port) taken.insert(*device.target->port);
    });
    std::uint32_t next = 0;
    for_each<D>(domain, [&](D& device) {
        auto& target = device.target ? *device.target : device.target.emplace();
        if (target.port) return;
        while (!taken.insert(next).second) ++next;
        target.port = next;
    });
}

bool on_serial(const Console& console) {
    const auto type = console.target ? console.target->type : std::nullopt;
    return !type || *type == ConsoleTargetType::serial || *type == ConsoleTargetType::none;
}

void mirror_console(Console& console, const Serial& serial) {
    console.chardev = serial.chardev;
    console.log = serial.log;
    auto& target = console.target ? *console.target : console.target.emplace();
    target.type = ConsoleTargetType::serial;
    target.port = serial.target->port;
    console.info.alias = serial.info.alias;
}

/// The first console is the first serial port by another name: whichever the user left out is added.
void merge_console(Domain& domain) {
    const auto serials = devices_of<Serial>(domain);
    const auto consoles = devices_of<Console>(domain);
    const bool mirrors = !consoles.empty() && on_serial(*consoles.front());
    if (serials.empty() && !mirrors) return;
    if (serials.empty()) { // from here on the list may move: neither pointer is used again
        Serial serial{.chardev = consoles.front()->chardev,
                      .log = consoles.front()->log,
                      .info = consoles.front()->info};
        consoles.front()->info = {};
        domain.devices.list.push_back(std::move(serial));
    }
    if (!mirrors) {
        const auto& target = serials.front()->target;
        if (target && target->type && *target->type != SerialTargetType::isa_serial &&
            *target->type != SerialTargetType::system_serial)
            return number_ports<Serial>(domain);
        auto& list = domain.devices.list;
        const auto first = std::ranges::find_if(
            list, [](const Device& device) { return std::holds_alternative<Console>(device); });
        list.insert(first, Console{});
    }
    number_ports<Serial>(domain);
    mirror_console(*devices_of<Console>(domain).front(), *devices_of<Serial>(domain).front());
}

// ---- other devices --------------------------------------------------------------------------

/// The primary display comes first.
void order_videos(Domain& domain) {
    const auto videos = devices_of<Video>(domain);
    for (std::size_t i = 1; i < videos.size(); ++i) {
        if (!videos[i]->model || videos[i]->model->primary != YesNo::yes) continue;
        for (auto at = i; at > 0; --at) std::swap(*videos[at], *videos[at - 1]);
        return;
    }
}

/// QEMU wants whole blocks of memory.
void align_modules(Domain& domain) {
    constexpr std::uint64_t block = 1024;
    for_each<MemoryModule>(domain, [&](MemoryModule& module) {
        if (module.model != MemoryModel::dimm || !module.target || !module.target->size) return;
        auto& kib = module.target->size->kib;
        kib = (kib + block - 1) / block * block;
    });
}

/// A label that says neither whether nor what says nothing.
void drop_idle_labels(Domain& domain) {
    for_each<Disk>(domain, [](Disk& disk) {
        if (disk.source)
            std::erase_if(disk.source->seclabels, [](const DeviceSecLabel& label) {
                return !label.relabel && !label.label && !label.labelskip && label.rest.empty();
            });
    });
}

// ---- labels -------------------------------------------------------------------------------

void complete_seclabels(Domain& domain) {
    for (auto& label : domain.seclabels) {
        if (!label.type) label.type = SecLabelType::dynamic;
        switch (*label.type) {
        case SecLabelType::none:
            if (label.relabel == YesNo::no) label.relabel.reset(); // the other is refused
            break;
        case SecLabelType::dynamic:
            if (!label.relabel) label.relabel = YesNo::yes;
            break;
        case SecLabelType::static_:
            if (!label.relabel) label.relabel = YesNo::no;
            break;
        }
    }
}

} // namespace

void insert_disk(std::vector<Device>& devices, Disk disk) {
    auto place = devices.end();
    for (auto at = devices.end(); at != devices.begin();) {
        --at;
        const auto* other = std::get_if<Disk>(&*at);
        if (!other || other->target.bus != disk.target.bus) continue;
        if (target_index(disk) < target_index(*other)) {
            place = at;
            continue;
        }
        if (place == devices.end()) place = at + 1;
        break;
    }
    devices.insert(place, std::move(disk));
}

void add_defaults(Domain& domain, Origin origin) {
    if (origin == Origin::fresh) align_modules(domain);
    complete_memory(domain, origin);
    complete_vcpus(domain);
    spread_vcpus(domain);
    complete_scheduling(domain);
    complete_features(domain);
    complete_iothreads(domain);
    complete_os(domain);
    group_disks(domain);
    merge_console(domain);
    number_ports<Parallel>(domain);
    order_videos(domain);
    drop_idle_labels(domain);
    complete_seclabels(domain);
}

} // namespace cloister
