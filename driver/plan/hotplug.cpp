#include "driver/plan/hotplug.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/defaults.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/device.hpp"
#include "driver/device/disk_rules.hpp"
#include "driver/device/image_chain.hpp"
#include "driver/plan/alias.hpp"
#include "driver/plan/complete.hpp"
#include "driver/plan/hotplug_steps.hpp"
#include "driver/plan/planner.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cloister {

namespace {

Error unsupported(std::string message) {
    return Error{.code = Code::operation_unsupported, .message = std::move(message)};
}

template <class... D> bool is_one_of(const Device& device) {
    return (std::holds_alternative<D>(device) || ...);
}

bool can_be_attached(const Device& device) {
    return is_one_of<Disk, Controller, Interface, Hostdev, Redirdev, Rng, MemoryModule, Shmem, Watchdog,
                     Input, Vsock, Serial, Console, Channel, Parallel, Filesystem>(device);
}
bool can_be_detached(const Device& device) { return can_be_attached(device); }

/// libvirt's words for an element, in its refusals.
std::string kind_text(const Device& device) {
    const auto name = element_of(device);
    if (name == "interface") return "interface";
    if (is_one_of<Serial, Parallel, Console, Channel>(device)) return "chr";
    return std::string(name);
}

const Disk* disk_by_target(const Domain& domain, const std::optional<std::string>& dev) {
    for (const auto* disk : devices_of<Disk>(domain))
        if (disk->target.dev == dev) return disk;
    return nullptr;
}

bool has_media(const Disk& disk) {
    return disk.device == DiskDevice::cdrom || disk.device == DiskDevice::floppy;
}

Result<> check_attach(const Device& device, const Domain& domain) {
    if (!can_be_attached(device))
        return std::unexpected(
            unsupported(tr("live attach of device '{0}' is not supported", kind_text(device))));
    if (const auto* disk = std::get_if<Disk>(&device)) {
        const auto dev = disk->target.dev.value_or("");
        if (const auto* other = disk_by_target(domain, disk->target.dev))
            return fail(Code::xml, tr("target '{0}' duplicated for disk sources '{1}' and '{2}'", dev,
                                      source_text(*other), source_text(*disk)));
        const auto bus = disk->target.bus ? disk->target.bus : bus_of_target(dev);
        if (bus && *bus != DiskBus::virtio && *bus != DiskBus::scsi && *bus != DiskBus::usb)
            return std::unexpected(
                unsupported(tr("disk bus '{0}' cannot be hotplugged.", names<DiskBus>.text(*bus))));
        if (disk->device == DiskDevice::floppy)
            return std::unexpected(unsupported(tr("cdrom/floppy device hotplug isn't supported")));
    }
    if (const auto* c = std::get_if<Controller>(&device); c && c->type != ControllerType::scsi)
        return std::unexpected(
            unsupported(tr("'{0}' controller cannot be hot plugged.",
                           c->type ? names<ControllerType>.text(*c->type) : std::string_view("unknown"))));
    if (const auto* nic = std::get_if<Interface>(&device); nic && nic->mac)
        for (const auto* other : devices_of<Interface>(domain))
            if (other->mac && other->mac->address == nic->mac->address &&
                other->info.address == nic->info.address)
                return fail(Code::operation_invalid,
                            tr("device with mac '{0}' already exists", printed(nic->mac->address)));
    if (std::holds_alternative<Watchdog>(device) && !devices_of<Watchdog>(domain).empty())
        return fail(Code::operation_invalid, tr("domain already has a watchdog"));
    if (std::holds_alternative<Vsock>(device) && !devices_of<Vsock>(domain).empty())
        return fail(Code::operation_invalid, tr("the domain already has a vsock device"));
    return {};
}

/// What a running guest says of a device besides its definition.
void make_live(Device& device, const Domain& live, const HotContext& context) {
    assign_alias(device, live);
    if (auto* disk = std::get_if<Disk>(&device)) prepare_disk(*disk, live, context.facts);
    if (auto* nic = std::get_if<Interface>(&device)) {
        const auto type = nic->type.value_or(InterfaceType::user);
        const bool tap = type == InterfaceType::bridge || type == InterfaceType::network ||
                         type == InterfaceType::ethernet;
        if (tap && !(nic->target && nic->target->dev) && !context.reserved.taps.empty()) {
            if (!nic->target) nic->target = InterfaceTarget{};
            nic->target->dev = context.reserved.taps.front();
        }
    }
}

void append(DevicePlan& into, DevicePlan from) {
    const auto move = [](auto& a, auto& b) {
        a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    };
    move(into.items, from.items);
    move(into.grants, from.grants);
    move(into.descriptors, from.descriptors);
    move(into.directories, from.directories);
    move(into.files, from.files);
    move(into.helpers, from.helpers);
    move(into.monitor_commands, from.monitor_commands);
}

Result<DevicePlan> planned(const Device& device, const Domain& live, const HotContext& c) {
    return plan_device(device, live, c.caps, c.conf, c.facts, c.reserved, c.paths);
}

/// True when a path is still used by another device: its grant stays.
bool still_granted(const Grant& grant, const Domain& domain, const HotContext& context) {
    return std::ranges::any_of(domain.devices.list, [&](const Device& device) {
        const auto other = planned(device, domain, context);
        return other &&
               std::ranges::any_of(other->grants, [&](const Grant& g) { return g.path == grant.path; });
    });
}

DeviceInfo pattern_info(const Device& device) {
    const auto* info = info_of(device);
    return info ? *info : DeviceInfo{};
}

Error missing(std::string message) {
    return Error{.code = Code::device_missing, .message = std::move(message)};
}

Error missing_interface(const Interface& nic) {
    const auto* pci = address_of<PciAddress>(nic.info);
    const auto hex = [](const auto& v) { return v ? v->value : 0u; };
    const auto address = pci ? fmt::format("{:04x}:{:02x}:{:02x}.{:x}", hex(pci->domain), hex(pci->bus),
                                           hex(pci->slot), hex(pci->function))
                             : std::string("(<null>)");
    auto error = missing(tr("no device found at address '{0}' matching MAC address '{1}' and alias '{2}'",
                            address, nic.mac ? printed(nic.mac->address) : "(<null>)",
                            nic.info.alias ? nic.info.alias->name : "(<null>)"));
    error.domain = ErrorDomain::domain;
    return error;
}

bool matches(const Interface& nic, const Interface& pattern) {
    if (pattern.mac && (!nic.mac || nic.mac->address != pattern.mac->address)) return false;
    if (pattern.info.alias && nic.info.alias != pattern.info.alias) return false;
    if (address_of<PciAddress>(pattern.info) && nic.info.address != pattern.info.address) return false;
    return true;
}

/// Fields of `pattern` that are given decide: alias, then address, then the whole device without both.
template <class D> bool matches(const D& device, const D& pattern) {
    if constexpr (requires { device.info; }) {
        if (pattern.info.alias) return device.info.alias == pattern.info.alias;
        auto a = device, b = pattern;
        if (b.info.address && a.info.address != b.info.address) return false;
        a.info = b.info = {};
        return a == b;
    } else {
        return device == pattern;
    }
}
bool matches(const Hostdev& device, const Hostdev& pattern) { return device.host == pattern.host; }
bool matches(const Controller& device, const Controller& pattern) {
    return device.type == pattern.type && device.index == pattern.index;
}
bool matches(const Watchdog& device, const Watchdog& pattern) {
    return device.model == pattern.model && (!pattern.info.alias || device.info.alias == pattern.info.alias);
}
bool matches(const Vsock&, const Vsock&) { return true; }

Result<HotPlan> removal(const Domain& live, std::size_t at, const HotContext& context) {
    const auto& device = live.devices.list[at];
    if (!can_be_detached(device))
        return std::unexpected(
            unsupported(tr("live detach of device '{0}' is not supported", kind_text(device))));
    const auto info = pattern_info(device);
    if (const auto* pci = address_of<PciAddress>(info); pci && pci->multifunction == Switch::on)
        return fail(Code::operation_failed,
                    tr("cannot hot unplug multifunction PCI device with guest address: "
                       "{0:04x}:{1:02x}:{2:02x}.{3:x}",
                       pci->domain ? pci->domain->value : 0u, pci->bus ? pci->bus->value : 0u,
                       pci->slot ? pci->slot->value : 0u, pci->function ? pci->function->value : 0u));
    if (const auto* disk = std::get_if<Disk>(&device)) {
        const auto bus = disk->target.bus.value_or(DiskBus::virtio);
        if (bus != DiskBus::virtio && bus != DiskBus::scsi && bus != DiskBus::usb)
            return std::unexpected(unsupported(tr("This type of disk cannot be hot unplugged")));
        if (disk->mirror)
            return fail(Code::block_copy_active,
                        tr("disk '{0}' already in active block job", disk->target.dev.value_or("")));
    }
    if (const auto* c = std::get_if<Controller>(&device); c && c->type != ControllerType::scsi)
        return std::unexpected(
            unsupported(tr("'{0}' controller cannot be hot unplugged.",
                           c->type ? names<ControllerType>.text(*c->type) : std::string_view("unknown"))));

    HotPlan out{.after = live, .alias = info.alias ? info.alias->name : ""};
    out.after.devices.list.erase(out.after.devices.list.begin() + static_cast<std::ptrdiff_t>(at));
    out.waits_for_device_deleted = true;
    out.steps.push_back({.run = {"device_del", {{"id", out.alias}}}});
    // What its plan added besides the device goes once the guest has let go, newest first.
    if (const auto plan = planned(device, live, context)) {
        if (auto steps = hot_steps(*plan))
            for (auto step = steps->rbegin(); step != steps->rend(); ++step)
                if (step->undo && step->run.command != "device_add" && step->run.command != "getfd")
                    out.afterwards.push_back(std::move(*step->undo));
        for (const auto& grant : plan->grants)
            if (!still_granted(grant, out.after, context)) out.released.push_back(grant);
    }
    return out;
}

} // namespace

void complete_one(Device& device, const Domain& domain, const QemuCaps* caps, const QemuConf& conf) {
    std::visit(
        [&]<class D>(D& d) {
            if constexpr (!std::is_same_v<D, UnmodelledDevice>)
                complete(d, CompleteContext{domain, caps, conf, 0});
        },
        device);
}

Result<std::size_t> find_device(const Domain& domain, const Device& pattern) {
    const auto& list = domain.devices.list;
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i].index() != pattern.index()) continue;
        const bool fits = std::visit(
            [&]<class D>(const D& wanted) {
                const auto& device = std::get<D>(list[i]);
                if constexpr (std::is_same_v<D, Disk>)
                    return device.target.dev == wanted.target.dev;
                else if constexpr (std::is_same_v<D, UnmodelledDevice>)
                    return device == wanted;
                else
                    return matches(device, wanted);
            },
            pattern);
        if (!fits) continue;
        if (found && std::holds_alternative<Interface>(pattern))
            return fail(Code::operation_failed, tr("multiple devices matching MAC address {0} found",
                                                   printed(std::get<Interface>(pattern).mac->address)));
        if (!found) found = i;
    }
    if (found) return *found;
    if (const auto* disk = std::get_if<Disk>(&pattern))
        return std::unexpected(missing(tr("disk {0} not found", disk->target.dev.value_or(""))));
    if (const auto* nic = std::get_if<Interface>(&pattern)) return std::unexpected(missing_interface(*nic));
    if (const auto* c = std::get_if<Controller>(&pattern))
        return std::unexpected(
            missing(tr("controller {0}:{1} not found",
                       c->type ? names<ControllerType>.text(*c->type) : std::string_view(""),
                       c->index ? c->index->value : 0u)));
    if (std::holds_alternative<Hostdev>(pattern))
        return std::unexpected(missing(tr("host device not found in the domain")));
    return std::unexpected(missing(tr("no matching {0} device was found", element_of(pattern))));
}

Result<HotPlan> attach_device(const Domain& live, Device device, const HotContext& context) {
    // Attaching a CD-ROM that is there means: other media.
    if (const auto* disk = std::get_if<Disk>(&device))
        if (has_media(*disk) && disk_by_target(live, disk->target.dev))
            return update_device(live, std::move(device), context);
    TRY(check_attach(device, live));

    HotPlan out{.after = live};
    const auto before = out.after.devices.list.size();
    const auto& random = context.reserved.random;
    const auto fresh = random.size() > 32 ? std::span(random).subspan(32) : std::span<const std::uint8_t>{};
    TRY(complete_device(device, out.after, context.caps, context.conf, context.facts, fresh));
    make_live(device, out.after, context);
    out.alias = std::string(alias_of(device));
    out.after.devices.list.push_back(std::move(device));

    DevicePlan all;
    for (std::size_t i = before; i < out.after.devices.list.size(); ++i) {
        auto& added = out.after.devices.list[i];
        if (alias_of(added).empty()) assign_alias(added, out.after); // a controller that the device needs
        append(all, TRY(planned(added, out.after, context)));
    }
    // A disk stands with those of its bus, as it would have from the start.
    if (auto* disk = std::get_if<Disk>(&out.after.devices.list.back())) {
        auto last = std::move(*disk);
        out.after.devices.list.pop_back();
        insert_disk(out.after.devices.list, std::move(last));
    }
    out.steps = TRY(hot_steps(all));
    all.items.clear();
    all.monitor_commands.clear();
    out.host = std::move(all);
    return out;
}

Result<HotPlan> detach_device(const Domain& live, const Device& pattern, const HotContext& context) {
    return removal(live, TRY(find_device(live, pattern)), context);
}

Result<HotPlan> detach_alias(const Domain& live, std::string_view alias, const HotContext& context) {
    for (std::size_t i = 0; i < live.devices.list.size(); ++i)
        if (alias_of(live.devices.list[i]) == alias) return removal(live, i, context);
    return std::unexpected(missing(tr("no device found with alias {0}", alias)));
}

Result<Domain> attach_config(const Domain& stored, Device device, const QemuCaps& caps, const QemuConf& conf,
                             const HostFacts& facts, std::span<const std::uint8_t> random) {
    if (const auto* disk = std::get_if<Disk>(&device); disk && disk_by_target(stored, disk->target.dev))
        return fail(Code::operation_invalid, tr("target {0} already exists", disk->target.dev.value_or("")));
    if (std::holds_alternative<Watchdog>(device) && !devices_of<Watchdog>(stored).empty())
        return fail(Code::operation_invalid, tr("domain already has a watchdog"));
    Domain out = stored;
    out.devices.list.push_back(std::move(device));
    TRY(complete_domain(out, &caps, conf, facts, random));
    return out;
}

Result<Domain> detach_config(const Domain& stored, const Device& pattern) {
    const auto at = find_device(stored, pattern);
    if (!at) {
        // libvirt has other words for a disk that the definition lacks
        if (const auto* disk = std::get_if<Disk>(&pattern))
            return std::unexpected(missing(tr("no target device {0}", disk->target.dev.value_or(""))));
        return std::unexpected(at.error());
    }
    Domain out = stored;
    out.devices.list.erase(out.devices.list.begin() + static_cast<std::ptrdiff_t>(*at));
    return out;
}

Result<Domain> update_config(const Domain& stored, Device device, const QemuCaps& caps,
                             const QemuConf& conf) {
    std::optional<std::size_t> at;
    if (std::holds_alternative<Graphics>(device)) { // one of each kind: nothing else tells them apart
        for (std::size_t i = 0; i < stored.devices.list.size(); ++i)
            if (const auto* g = std::get_if<Graphics>(&stored.devices.list[i]))
                if (g->kind.index() == std::get<Graphics>(device).kind.index()) at = i;
        if (!at) return fail(Code::config_unsupported, tr("cannot find existing graphics device to modify"));
    } else {
        at = TRY(find_device(stored, device));
    }
    Domain out = stored;
    const auto info = pattern_info(stored.devices.list[*at]);
    if (auto* fresh = info_of(device)) { // what was not said stays
        if (!fresh->address) fresh->address = info.address;
        if (!fresh->alias) fresh->alias = info.alias;
        if (!fresh->boot) fresh->boot = info.boot;
    }
    complete_one(device, out, &caps, conf);
    out.devices.list[*at] = std::move(device);
    return out;
}

} // namespace cloister
