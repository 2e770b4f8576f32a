#include "driver/plan/planner.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "conf/settings/provenance.hpp"
#include "driver/device/device.hpp"
#include "driver/plan/confinement.hpp"
#include "driver/plan/cpu.hpp"
#include "driver/plan/parts.hpp"
#include "driver/plan/passthrough.hpp"
#include "driver/plan/tuning.hpp"

#include <algorithm>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <iterator>
#include <map>

namespace cloister {

namespace {

/// -device vmcoreinfo has no element of its own.
void add_vmcoreinfo(DevicePlan& out, const Domain& domain) {
    if (domain.features && domain.features->vmcoreinfo && domain.features->vmcoreinfo->on())
        out.items.push_back({"device", boost::json::object{{"driver", "vmcoreinfo"}}, "features vmcoreinfo"});
}

Result<DevicePlan> planned(const Device& device, const PlanContext& context) {
    return std::visit(
        [&]<class D>(const D& d) -> Result<DevicePlan> {
            if constexpr (std::is_same_v<D, UnmodelledDevice>)
                return fail(Code::config_unsupported,
                            tr("the device <{0}> (line {1}) is not supported", d.node.name, d.node.line));
            else
                return plan(d, context);
        },
        device);
}

/// Walks the devices in the order of the command line.
class DeviceWalk {
public:
    DeviceWalk(LaunchPlan& plan, const PlanContext& context) : plan_(plan), context_(context) {}

    template <class D> Result<> each() {
        return each_if<D>([](const D&) { return true; });
    }
    template <class D, class Which> Result<> each_if(Which&& which) {
        unsigned index = 0;
        for (const auto& device : context_.domain.devices.list) {
            const auto* d = std::get_if<D>(&device);
            if (!d) continue;
            PlanContext context{context_.domain, context_.caps,     context_.conf, context_.facts,
                                context_.paths,  context_.reserved, index++};
            if (which(*d)) TRY(add(TRY(planned(device, context))));
        }
        return {};
    }
    Result<> add(DevicePlan more) {
        const auto move = [](auto& a, auto& b) {
            a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
        };
        move(plan_.items, more.items);
        move(plan_.descriptors, more.descriptors);
        move(plan_.directories, more.directories);
        move(plan_.files, more.files);
        move(plan_.helpers, more.helpers);
        move(plan_.monitor_commands, more.monitor_commands);
        for (auto& env : more.env) {
            const auto at = std::ranges::find(plan_.env, env.name, &EnvVar::name);
            if (at == plan_.env.end()) plan_.env.push_back(std::move(env));
        }
        for (auto& grant : more.grants)
            if (std::ranges::find(plan_.grants, grant) == plan_.grants.end())
                plan_.grants.push_back(std::move(grant));
        return {};
    }

private:
    LaunchPlan& plan_;
    const PlanContext& context_;
};

Result<> add_controllers(DeviceWalk& walk) {
    const auto of_type = [](ControllerType type) {
        return [type](const Controller& c) { return c.type == type; };
    };
    TRY(walk.each_if<Controller>(of_type(ControllerType::pci)));
    TRY(walk.each<Iommu>());
    for (const auto type : {ControllerType::usb, ControllerType::scsi, ControllerType::ide,
                            ControllerType::sata, ControllerType::virtio_serial, ControllerType::ccid,
                            ControllerType::xenbus, ControllerType::isa, ControllerType::fdc})
        TRY(walk.each_if<Controller>(of_type(type)));
    TRY(walk.each<Hub>());
    return walk.each<MemoryModule>();
}

Result<> add_devices(DeviceWalk& walk) {
    TRY(walk.each<Lease>());
    TRY(walk.each<Disk>());
    TRY(walk.each<Filesystem>());
    TRY(walk.each<Interface>());
    TRY(walk.each<Smartcard>());
    TRY(walk.each<Serial>());
    TRY(walk.each<Parallel>());
    TRY(walk.each<Channel>());
    TRY(walk.each<Console>());
    TRY(walk.each<Tpm>());
    TRY(walk.each<Input>());
    TRY(walk.each<Audio>());
    TRY(walk.each<Graphics>());
    TRY(walk.each<Video>());
    TRY(walk.each<Sound>());
    TRY(walk.each<Watchdog>());
    TRY(walk.each<Redirdev>());
    TRY(walk.each<RedirFilter>());
    TRY(walk.each<Hostdev>());
    TRY(walk.each<Memballoon>());
    TRY(walk.each<Rng>());
    TRY(walk.each<Nvram>());
    return walk.each<UnmodelledDevice>();
}

/// After the passthrough arguments, so that no argument of theirs can win over ours.
Result<> add_tail(DeviceWalk& walk, LaunchPlan& plan, const PlanContext& context) {
    if (context.conf.seccomp_sandbox != 0)
        plan.items.push_back({"sandbox",
                              "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                              "seccomp of QEMU itself"});
    else
        plan.items.push_back({"sandbox", "off", key_why(context.conf, "seccomp_sandbox")});
    TRY(walk.each<Panic>());
    TRY(walk.each<Shmem>());
    TRY(walk.each<Vsock>());
    TRY(walk.each<Crypto>());
    if (context.conf.log_timestamp) plan.items.push_back({"msg", "timestamp=on", "qemu.conf log_timestamp"});
    return {};
}

/// Folders and files that every run has.
void add_own_files(LaunchPlan& plan, const PlanContext& context) {
    const auto& paths = context.paths;
    const auto folder = [&](const std::string& path, const char* why) {
        if (path.empty()) return;
        plan.directories.push_back({.path = path, .mode = 0750});
        plan.grants.push_back({.path = path,
                               .kind = Kind::directory,
                               .access = Access::read_write,
                               .created_by_us = true,
                               .why = why});
    };
    folder(paths.state_dir, "folder of the guest");
    const bool channels = std::ranges::any_of(plan.descriptors, [&](const Descriptor& d) {
        const auto* socket = std::get_if<ListenSocket>(&d.what);
        return socket && socket->path.starts_with(paths.channel_dir + "/");
    });
    if (channels) folder(paths.channel_dir, "sockets of channels");
    std::string key;
    for (std::size_t i = 0; i < 32 && i < context.reserved.random.size(); ++i)
        key += static_cast<char>(context.reserved.random[i]);
    plan.files.insert(plan.files.begin(), MadeFile{.path = paths.master_key, .content = key, .mode = 0600});
    plan.grants.push_back({.path = paths.master_key,
                           .kind = Kind::file,
                           .access = Access::read,
                           .created_by_us = true,
                           .why = "master key of secrets"});
}

Result<> refuse_unmodelled(const Domain& live) {
    const auto found = unmodelled(live);
    if (found.empty()) return {};
    return fail(Code::config_unsupported,
                tr("{0} (line {1}) is not supported", found.front().what, found.front().line));
}

} // namespace

Result<LaunchPlan> plan_launch(const Domain& live, const QemuCaps& caps, const QemuConf& conf,
                               const HostFacts& facts, const Reserved& reserved, const LaunchPaths& paths) {
    TRY(refuse_unmodelled(live));
    TRY(check_passthrough(live.passthrough)); // before anything else is worked out
    const PlanContext context{live, caps, conf, facts, paths, reserved};
    LaunchPlan plan{.name = live.name,
                    .uuid = live.uuid.value_or(Uuid{}),
                    .id = live.id.value_or(reserved.id),
                    .emulator = live.devices.emulator.value_or(caps.emulator),
                    .paths = paths};
    plan.memory_bytes = (live.memory ? live.memory->kib : 0) << 10;
    plan.env = base_environment(context);
    plan.identity = TRY(identity_of(context));
    DeviceWalk walk(plan, context);
    TRY(walk.add(TRY(head_items(context))));
    plan.items.push_back(TRY(cpu_item(live, caps)));
    TRY(walk.add(TRY(memory_items(context))));
    TRY(walk.add(TRY(identity_items(context))));
    TRY(walk.add(TRY(machine_items(context))));
    TRY(add_controllers(walk));
    TRY(add_devices(walk));
    DevicePlan loose;
    add_vmcoreinfo(loose, live);
    TRY(walk.add(std::move(loose)));
    TRY(add_passthrough_items(plan, live.passthrough));
    TRY(add_tail(walk, plan, context));
    TRY(apply_overrides(plan, live.passthrough));
    add_own_files(plan, context);
    add_passthrough_environment(plan, live.passthrough);
    plan.confinement = confinement_of(context, plan.identity, plan);
    plan.confinement.tuning = TRY(tuning_of(live));
    return plan;
}

Result<DevicePlan> plan_device(const Device& device, const Domain& live, const QemuCaps& caps,
                               const QemuConf& conf, const HostFacts& facts, const Reserved& reserved,
                               const LaunchPaths& paths) {
    return planned(device, {live, caps, conf, facts, paths, reserved, index_among_its_kind(device, live)});
}

unsigned index_among_its_kind(const Device& device, const Domain& domain) {
    unsigned index = 0;
    for (const auto& other : domain.devices.list) {
        if (&other == &device || (other.index() == device.index() && other == device)) return index;
        if (other.index() == device.index()) ++index;
    }
    return index;
}

} // namespace cloister
