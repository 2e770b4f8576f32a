#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/device.hpp"
#include "driver/device/image_chain.hpp"
#include "driver/plan/hotplug.hpp"
#include "driver/plan/hotplug_steps.hpp"
#include "driver/plan/planner.hpp"

#include <algorithm>
#include <ranges>

namespace cloister {

namespace {

using boost::json::object;

Error unsupported(std::string message) {
    return Error{.code = Code::operation_unsupported, .message = std::move(message)};
}

Result<> same(bool equal, std::string_view field) {
    if (equal) return {};
    return std::unexpected(unsupported(tr("cannot modify field '{0}' of the disk", field)));
}

/// The parts of a disk that stay while the guest runs.
Result<> check_disk(const Disk& was, const Disk& now) {
    TRY(same(was.device == now.device, "device"));
    TRY(same(!now.target.bus || was.target.bus == now.target.bus, "bus"));
    TRY(same(was.shareable == now.shareable, "shareable"));
    TRY(same(was.readonly == now.readonly || now.device == DiskDevice::cdrom, "readonly"));
    TRY(same(!now.serial || was.serial == now.serial, "serial"));
    TRY(same(!now.wwn || was.wwn == now.wwn, "wwn"));
    const auto cache = [](const Disk& d) { return d.driver ? d.driver->cache : std::nullopt; };
    TRY(same(!cache(now) || cache(was) == cache(now), "cache"));
    return {};
}

bool same_media(const Disk& a, const Disk& b) {
    auto left = a.source, right = b.source;
    if (left) left->index.reset();
    if (right) right->index.reset();
    return left == right && a.type == b.type && (!left || a.driver->type == b.driver->type);
}

/// The nodes of a chain, the top one first: format, then storage, as they can be removed.
std::vector<MonitorStep> removals(const Disk& disk, const Domain& live, const HotContext& c) {
    std::vector<MonitorStep> out;
    const Device device(disk);
    const auto plan = plan_device(device, live, c.caps, c.conf, c.facts, c.reserved, c.paths);
    if (!plan) return out;
    if (const auto steps = hot_steps(*plan))
        for (const auto& step : *steps | std::views::reverse)
            if (step.undo && (step.undo->command == "blockdev-del" || step.undo->command == "object-del"))
                out.push_back(*step.undo);
    return out;
}

Result<> change_media(HotPlan& out, Disk& disk, Disk now, const Domain& live, const HotContext& c) {
    const Disk was = disk;
    TRY(check_disk(was, now));
    if (same_media(was, now)) return {};
    if (now.device != DiskDevice::cdrom && now.device != DiskDevice::floppy)
        return std::unexpected(unsupported(tr("cannot modify field '{0}' of the disk", "source")));

    disk.type = now.type;
    disk.driver = now.driver;
    disk.source = std::move(now.source);
    disk.backing_store = std::move(now.backing_store);
    disk.target.tray.reset();
    prepare_disk(disk, live, c.facts);

    const object id{{"id", out.alias}};
    out.steps.push_back({.run = {"blockdev-open-tray", {{"id", out.alias}, {"force", false}}},
                         .undo = MonitorStep{"blockdev-close-tray", id}});
    if (was.source) out.steps.push_back({.run = {"blockdev-remove-medium", id}});
    if (disk.source) {
        auto plan = TRY(plan_device(Device(disk), out.after, c.caps, c.conf, c.facts, c.reserved, c.paths));
        std::string node;
        if (const auto* props = std::get_if<object>(&plan.items.back().value))
            node = std::string(props->at("drive").as_string());
        plan.items.pop_back(); // the drive itself stays
        plan.monitor_commands.clear();
        for (auto& step : TRY(hot_steps(plan))) out.steps.push_back(std::move(step));
        out.steps.push_back({.run = {"blockdev-insert-medium", {{"id", out.alias}, {"node-name", node}}},
                             .undo = MonitorStep{"blockdev-remove-medium", id}});
        plan.items.clear();
        out.host = std::move(plan);
    }
    out.steps.push_back({.run = {"blockdev-close-tray", id}});
    out.afterwards = removals(was, live, c);
    if (const auto old = plan_device(Device(was), live, c.caps, c.conf, c.facts, c.reserved, c.paths))
        for (const auto& grant : old->grants)
            if (std::ranges::none_of(out.host.grants, [&](const Grant& g) { return g.path == grant.path; }))
                out.released.push_back(grant);
    return {};
}

Result<> update_interface(HotPlan& out, Interface& nic, const Interface& now) {
    const auto refuse = [](std::string message) -> Result<> {
        return std::unexpected(unsupported(std::move(message)));
    };
    if (now.type && now.type != nic.type)
        return refuse(
            tr("cannot change network interface type to '{0}'", names<InterfaceType>.text(*now.type)));
    if (now.model && now.model->type && now.model->type != nic.model->type)
        return refuse(tr("cannot modify network device model from {0} to {1}",
                         nic.model->type.value_or("(default)"), *now.model->type));
    if (now.target && now.target->dev && nic.target && now.target->dev != nic.target->dev)
        return refuse(tr("cannot modify network device tap name"));
    if (now.source && nic.source && (now.source->bridge && nic.source->bridge != now.source->bridge))
        return refuse(tr("cannot move a running guest's interface to bridge '{0}'", *now.source->bridge));
    if (now.driver && nic.driver && now.driver->queues != nic.driver->queues)
        return refuse(tr("cannot modify virtio network device driver options"));
    if (now.mtu != nic.mtu) return refuse(tr("cannot modify MTU"));
    const auto up = [](const Interface& i) { return !i.link || i.link->state != LinkStateValue::down; };
    if (up(now) != up(nic))
        out.steps.push_back({.run = {"set_link", {{"name", out.alias}, {"up", up(now)}}},
                             .undo = MonitorStep{"set_link", {{"name", out.alias}, {"up", up(nic)}}}});
    nic.link = now.link;
    return {};
}

const DisplayPassword* password_of(const Graphics& g) {
    if (const auto* vnc = std::get_if<Vnc>(&g.kind)) return &vnc->password;
    if (const auto* spice = std::get_if<Spice>(&g.kind)) return &spice->password;
    return nullptr;
}

template <class Display> Result<> check_ports(const Display& was, const Display& now, std::string_view name) {
    const auto fixed = [](const auto& port) { return port && *port > 0; };
    if (now.autoport != YesNo::yes && fixed(now.port) && now.port != was.port)
        return std::unexpected(unsupported(tr("cannot change port settings on {0} graphics", name)));
    return {};
}

Result<> update_graphics(HotPlan& out, Graphics& was, const Graphics& now, const Domain& live,
                         const HotContext& c) {
    if (const auto* vnc = std::get_if<Vnc>(&now.kind))
        TRY(check_ports(std::get<Vnc>(was.kind), *vnc, "vnc"));
    else if (const auto* spice = std::get_if<Spice>(&now.kind))
        TRY(check_ports(std::get<Spice>(was.kind), *spice, "spice"));
    else
        return fail(Code::internal, tr("unable to change config on '{0}' graphics type", "this"));
    const auto* before = password_of(was);
    const auto* after = password_of(now);
    if (*before == *after) return {};
    if (auto* vnc = std::get_if<Vnc>(&was.kind))
        vnc->password = *after;
    else
        std::get<Spice>(was.kind).password = *after;
    // The plan of a display says how its password is set, and when it expires.
    const auto plan = TRY(plan_device(Device(was), live, c.caps, c.conf, c.facts, c.reserved, c.paths));
    for (const auto& [command, arguments] : plan.monitor_commands)
        out.steps.push_back({.run = {command, arguments}});
    return {};
}

Result<> update_balloon(HotPlan& out, Memballoon& was, const Memballoon& now) {
    if (was.model != now.model) return std::unexpected(unsupported(tr("cannot modify memballoon model")));
    if (was.autodeflate != now.autodeflate)
        return std::unexpected(unsupported(tr("cannot modify memballoon autodeflate")));
    const auto period = [](const Memballoon& b) { return b.stats ? b.stats->period : 0; };
    const auto set = [&](std::int64_t seconds) {
        return MonitorStep{"qom-set",
                           {{"path", "/machine/peripheral/" + out.alias},
                            {"property", "guest-stats-polling-interval"},
                            {"value", seconds}}};
    };
    if (period(was) != period(now)) out.steps.push_back({.run = set(period(now)), .undo = set(period(was))});
    was.stats = now.stats;
    return {};
}

} // namespace

Result<HotPlan> update_device(const Domain& live, Device device, const HotContext& context) {
    complete_one(device, live, &context.caps, context.conf);
    HotPlan out{.after = live};
    auto& list = out.after.devices.list;
    if (const auto* now = std::get_if<Graphics>(&device)) {
        for (auto& d : list)
            if (auto* was = std::get_if<Graphics>(&d); was && was->kind.index() == now->kind.index()) {
                TRY(update_graphics(out, *was, *now, live, context));
                return out;
            }
        return std::unexpected(Error{.code = Code::device_missing,
                                     .message = tr("cannot find existing graphics device to modify")});
    }
    if (const auto* now = std::get_if<Memballoon>(&device)) {
        for (auto& d : list)
            if (auto* was = std::get_if<Memballoon>(&d)) {
                out.alias = was->info.alias ? was->info.alias->name : "balloon0";
                TRY(update_balloon(out, *was, *now));
                return out;
            }
    }
    const bool known = std::holds_alternative<Disk>(device) || std::holds_alternative<Interface>(device);
    if (!known)
        return std::unexpected(
            unsupported(tr("live update of device '{0}' is not supported", element_of(device))));
    const auto at = TRY(find_device(live, device));
    out.alias = std::string(alias_of(list[at]));
    if (auto* disk = std::get_if<Disk>(&device)) {
        TRY(change_media(out, std::get<Disk>(list[at]), std::move(*disk), live, context));
        return out;
    }
    TRY(update_interface(out, std::get<Interface>(list[at]), std::get<Interface>(device)));
    return out;
}

} // namespace cloister
