#include "security/lower.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "security/apparmor.hpp"
#include "security/caps.hpp"
#include "security/cgroup_rules.hpp"
#include "security/dac.hpp"
#include "security/file_labels.hpp"
#include "security/landlock.hpp"
#include "security/limits.hpp"
#include "security/mountns.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

namespace cloister {
namespace {

constexpr int first_fd = 3; // after stdin, stdout and stderr

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

Owner owner_of_made(bool guest_owned, const Identity& who) {
    return guest_owned && who.set_ids ? Owner{who.uid, who.gid} : Owner{};
}

/// SELinux: what is made for the guest is its own, even where the files of the host keep their labels.
std::string label_of_made(bool guest_owned, const Identity& who) {
    return guest_owned && !who.process_context.empty() ? who.image_context : std::string();
}

Op lowered(const MadeDirectory& directory, const Identity& who) {
    return MakeDirectory{directory.path, directory.mode, owner_of_made(directory.guest_owned, who),
                         directory.keep, label_of_made(directory.guest_owned, who)};
}

/// A file that stays is the guest's as long as it runs: one that is there already is labelled as a grant.
Op lowered(const MadeFile& file, Owner owner, const Identity& who, const HostLook& look) {
    MakeFile out{file.path, file.content, file.copy_of, file.mode, owner, file.keep};
    if (file.keep && look.paths.contains(file.path)) return out;
    out.label = label_of_made(file.guest_owned, who);
    if (file.keep && !out.label.empty()) out.label_back = default_label_of(look, file.path);
    return out;
}

void lower_files(const LaunchPlan& plan, const HostLook& look, Lowered& out) {
    const auto& who = plan.identity;
    std::set<std::string> made;
    for (const auto& directory : plan.directories) {
        made.insert(directory.path);
        out.directories.push_back(lowered(directory, who));
    }
    for (const auto& helper : plan.helpers) {
        const auto owner = [&](bool own) { return own ? Owner{helper.uid, helper.gid} : Owner{}; };
        for (const auto& directory : helper.directories) {
            const auto label = label_of_made(directory.guest_owned, who);
            const bool kept = directory.keep && !label.empty();
            out.directories.emplace_back(MakeDirectory{directory.path, directory.mode,
                                                       owner(directory.guest_owned), directory.keep,
                                                       kept ? std::string() : label});
            if (kept) out.directories.emplace_back(LabelTree{directory.path, label}); // with an earlier run's
        }
        for (const auto& file : helper.files)
            out.files.push_back(lowered(file, owner(file.guest_owned), who, look));
    }
    if (who.make_apparmor_profile)
        out.files.emplace_back(LoadProfile{who.apparmor_profile, apparmor_profile(plan, look), {}});
    // A socket that the guest may not replace needs a folder that it cannot write.
    for (const auto& descriptor : plan.descriptors)
        if (const auto* listen = std::get_if<ListenSocket>(&descriptor.what); listen != nullptr) {
            const auto folder = folder_of(listen->path);
            if (!look.paths.contains(folder) && made.insert(folder).second)
                out.directories.emplace_back(MakeDirectory{folder, 0700,
                                                           owner_of_made(listen->guest_owned, who), true,
                                                           label_of_made(listen->guest_owned, who)});
        }
    for (const auto& file : plan.files)
        out.files.push_back(lowered(file, owner_of_made(file.guest_owned, who), who, look));
}

/// The Op that leaves the descriptor open; absent for an optional file that is not there.
std::optional<Op> descriptor_op(const Descriptor& descriptor, const Identity& who, const HostLook& look) {
    const auto& symbol = descriptor.symbol;
    return std::visit(
        overload{[&](const ListenSocket& s) -> std::optional<Op> {
                     // the group may connect too, as with a socket that QEMU makes under its umask
                     return BindSocket{symbol,
                                       s.path,
                                       s.guest_owned ? 0770U : 0700U,
                                       owner_of_made(s.guest_owned, who),
                                       label_of_made(s.guest_owned, who),
                                       who.process_context};
                 },
                 [&](const TapDevice& t) -> std::optional<Op> {
                     return MakeTap{symbol, t.name,        t.bridge,      t.host_mac,
                                    t.mtu,  t.vnet_header, t.multi_queue, t.persistent};
                 },
                 [&](const OpenedFile& f) -> std::optional<Op> {
                     if (f.optional && !f.create && destination(look, f.path).seen == nullptr)
                         return std::nullopt;
                     return OpenFile{symbol,     f.path, f.access == Access::read_write, f.append, f.create,
                                     f.truncate, false,  label_of_made(f.create, who)};
                 },
                 [&](const VhostVsock& v) -> std::optional<Op> { return OpenVsock{symbol, v.cid}; }},
        descriptor.what);
}

bool names_symbol(const QemuItem& item, const std::string& symbol) {
    for (const auto& word : words(item))
        if (with_symbols(word, {{symbol, ""}}) != word) return true;
    return false;
}

/// Numbers the descriptors, and drops the items whose optional file is not there.
std::vector<QemuItem> lower_descriptors(const LaunchPlan& plan, const HostLook& look, Lowered& out) {
    auto items = plan.items;
    int next = first_fd;
    std::set<std::string> taps;
    for (const auto& descriptor : plan.descriptors) {
        auto op = descriptor_op(descriptor, plan.identity, look);
        if (!op) {
            std::erase_if(items, [&](const QemuItem& item) { return names_symbol(item, descriptor.symbol); });
            out.notes.push_back(tr("{0}: left out, the file is not there", descriptor.why));
            continue;
        }
        out.fds[descriptor.symbol] = next++;
        if (auto* tap = std::get_if<MakeTap>(&*op); tap != nullptr && !taps.insert(tap->name).second)
            tap->existing = true; // a further queue of the same tap
        out.descriptors.push_back(std::move(*op));
    }
    return items;
}

Result<> lower_script(const LaunchPlan& plan, const HostLook& look, std::vector<QemuItem> items,
                      Lowered& out) {
    auto& script = out.script;
    const auto& confinement = plan.confinement;
    script.mount_namespace = confinement.mount_namespace;
    script.dev_submounts = look.dev_submounts;
    script.limits = process_limits(confinement.limits);
    script.set_ids = plan.identity.set_ids;
    script.uid = plan.identity.uid;
    script.gid = plan.identity.gid;
    script.groups = plan.identity.groups;
    if (script.groups.empty()) script.groups.push_back(plan.identity.gid);
    script.last_capability = look.last_capability;
    const auto kept = TRY(capability_bits(confinement.kept_capabilities, look.last_capability));
    script.kept_capabilities = kept & look.own_capabilities;
    if (script.kept_capabilities != kept)
        out.notes.push_back(tr("capabilities: the daemon itself does not have {0}",
                               capability_names(kept & ~look.own_capabilities, look.last_capability)));
    script.no_new_privs = confinement.no_new_privs;
    script.selinux_exec = plan.identity.process_context;
    if (!script.selinux_exec.empty()) script.selinux_dev = plan.identity.image_context;
    script.apparmor_exec = plan.identity.apparmor_profile;
    if (confinement.landlock) {
        const auto domain = landlock_domain(look.landlock_abi);
        script.landlock = domain.use;
        script.landlock_fs = domain.handled;
        script.landlock_allow = domain.allowed;
        script.landlock_scoped = domain.scoped;
        out.notes.insert(out.notes.end(), domain.notes.begin(), domain.notes.end());
    }
    if (confinement.own_seccomp) out.seccomp = guest_seccomp();

    std::vector<std::pair<std::string, std::string>> numbers;
    for (const auto& [symbol, number] : out.fds) numbers.emplace_back(symbol, std::to_string(number));
    auto shown = plan;
    shown.items = std::move(items);
    for (const auto& word : argv(shown)) script.argv.push_back(with_symbols(word, numbers));
    script.program = plan.emulator;
    for (const auto& variable : plan.env) { // a later one takes the place of an earlier one of the same name
        const auto head = variable.name + "=";
        const auto same =
            std::ranges::find_if(script.env, [&](const std::string& e) { return e.starts_with(head); });
        if (same != script.env.end())
            *same = head + variable.value;
        else
            script.env.push_back(head + variable.value);
    }
    return {};
}

/// A program beside QEMU keeps less than QEMU: its own user, no capabilities, the host's /dev behind the
/// guest's list. For SELinux and AppArmor it is the guest.
Script helper_script(const HelperProcess& helper, const Script& qemu) {
    Script out = qemu;
    out.mount_namespace = false;
    out.dev_submounts.clear();
    out.uid = helper.uid;
    out.gid = helper.gid;
    out.groups = {helper.gid};
    out.kept_capabilities = 0;
    out.selinux_dev.clear();
    out.limits = {process_limits({}).back()};
    out.program = helper.argv.empty() ? std::string() : helper.argv.front();
    out.argv = helper.argv;
    out.env = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    return out;
}

/// What of `wanted` the list does not allow yet.
std::optional<DeviceRule> lacking(DeviceRule wanted, const std::vector<DeviceRule>& list) {
    for (const auto& rule : list) {
        if (rule.type != wanted.type || (rule.major && rule.major != wanted.major) ||
            (rule.minor && rule.minor != wanted.minor))
            continue;
        wanted.read &= !rule.read;
        wanted.write &= !rule.write;
        wanted.make_node &= !rule.make_node;
    }
    return wanted.read || wanted.write || wanted.make_node ? std::optional(wanted) : std::nullopt;
}
std::vector<DeviceRule> lacking(const std::vector<DeviceRule>& wanted, const std::vector<DeviceRule>& list) {
    std::vector<DeviceRule> out;
    for (const auto& rule : wanted)
        if (auto rest = lacking(rule, list)) out.push_back(*rest);
    return out;
}

/// Where in the guest's /dev an Op works; null for every other Op.
const std::string* place_in_dev(const Op& op) {
    return std::visit(
        overload{[](const MakeNode& o) { return &o.path; }, [](const MakeLink& o) { return &o.path; },
                 [](const BindMount& o) { return &o.path; }, [](const RemoveNode& o) { return &o.path; },
                 [](const auto&) { return static_cast<const std::string*>(nullptr); }},
        op);
}

bool has(const LaunchPlan& running, const std::string& path) {
    const auto same = [&](const Grant& grant) { return grant.path == path; };
    return std::ranges::any_of(running.grants, same) ||
           std::ranges::any_of(running.confinement.base_devices, same);
}

/// A tap that is somebody else's must not get into our undo list.
Result<> check_taps(const std::vector<Descriptor>& descriptors, const HostLook& look) {
    for (const auto& descriptor : descriptors)
        if (const auto* tap = std::get_if<TapDevice>(&descriptor.what); tap != nullptr && !tap->persistent)
            if (std::ranges::find(look.interfaces, tap->name) != look.interfaces.end())
                return fail(Code::system,
                            tr("Unable to create tap device {0}: Device or resource busy", tap->name));
    return {};
}

Result<> check_grants(const LaunchPlan& plan, const HostLook& look) {
    for (const auto& grant : plan.grants) {
        if (grant.optional || grant.created_by_us || grant.kind == Kind::unknown) continue;
        const bool made =
            std::ranges::any_of(plan.files, [&](const MadeFile& f) { return f.path == grant.path; });
        if (made || destination(look, grant.path).seen != nullptr) continue;
        return fail(Code::system,
                    tr("Cannot access '{0}' ({1}): No such file or directory", grant.path, grant.why));
    }
    return {};
}

} // namespace

void set_guest(Op& op, const ProcessId& guest) {
    std::visit(overload{[&](MakeNode& o) { o.guest = guest; }, [&](MakeLink& o) { o.guest = guest; },
                        [&](BindMount& o) { o.guest = guest; }, [&](MapOwner& o) { o.guest = guest; },
                        [](auto&) {}},
               op);
}

Result<Lowered> lower(const LaunchPlan& plan, const HostLook& look) {
    Lowered out;
    if (auto checked = check_grants(plan, look); !checked) return std::unexpected(checked.error());
    if (auto checked = check_taps(plan.descriptors, look); !checked) return std::unexpected(checked.error());
    lower_files(plan, look, out);
    auto items = lower_descriptors(plan, look, out);

    auto groups = cgroups(plan, look);
    out.cgroups = std::move(groups.ops);
    out.entered = std::move(groups.entered);
    auto& after = plan.confinement.machine_scope ? out.entered : out.cgroups;
    for (auto& value : TRY(tuning_values(plan, look))) after.emplace_back(std::move(value));
    out.groups = std::move(groups.groups);
    out.cgroup_v2 = std::move(groups.v2);
    out.device_backend = groups.backend;
    out.device_group = std::move(groups.device_group);
    out.device_rules = std::move(groups.rules);
    out.notes.insert(out.notes.end(), groups.notes.begin(), groups.notes.end());

    if (auto scripted = lower_script(plan, look, std::move(items), out); !scripted)
        return std::unexpected(scripted.error());
    for (const auto& helper : plan.helpers) out.helpers.push_back(helper_script(helper, out.script));

    if (plan.confinement.mount_namespace) {
        auto all = plan.confinement.base_devices;
        all.insert(all.end(), plan.grants.begin(), plan.grants.end());
        out.devices = TRY(dev_ops(all, plan.identity, look));
    }
    const bool own_dev = plan.confinement.mount_namespace;
    out.ownership = TRY(dac_ops(plan.grants, plan.identity, own_dev, look, plan.name));
    for (auto& op : label_ops(plan.grants, plan.identity, own_dev, look, plan.name, out.notes))
        out.ownership.push_back(std::move(op));
    for (auto& op : TRY(map_ops(plan.grants, plan.identity, own_dev, look)))
        out.devices.push_back(std::move(op));
    return out;
}

std::vector<std::string> paths_of(const LaunchPlan& plan, const CgroupLayout& cgroups) {
    std::set<std::string> out;
    for (const auto& grant : plan.grants) out.insert(grant.path);
    for (const auto& grant : plan.confinement.base_devices) out.insert(grant.path);
    for (const auto& descriptor : plan.descriptors) {
        if (const auto* file = std::get_if<OpenedFile>(&descriptor.what)) out.insert(file->path);
        if (const auto* listen = std::get_if<ListenSocket>(&descriptor.what))
            out.insert(folder_of(listen->path));
    }
    for (const auto& file : plan.files) out.insert(file.path);
    for (const auto& limit : plan.confinement.tuning.io) out.insert(limit.path);
    if (plan.confinement.use_cgroups)
        for (const auto& hierarchy : cgroups.hierarchies)
            for (const auto& partition : partition_paths(plan.confinement))
                out.insert(hierarchy.mount + "/" + partition);
    return {out.begin(), out.end()};
}

std::vector<std::string> paths_of(const DevicePlan& added) {
    std::set<std::string> out;
    for (const auto& grant : added.grants) out.insert(grant.path);
    for (const auto& descriptor : added.descriptors)
        if (const auto* file = std::get_if<OpenedFile>(&descriptor.what)) out.insert(file->path);
    return {out.begin(), out.end()};
}

std::vector<std::string> owner_names_of(const std::vector<Grant>& grants) {
    std::set<std::string> out;
    for (const auto& grant : grants)
        for (const auto& change : grant.overrides)
            if (change.label && (change.model.empty() || change.model == "dac")) out.insert(*change.label);
    return {out.begin(), out.end()};
}

Result<std::vector<Op>> lower_hotplug(const LaunchPlan& running, const DevicePlan& added,
                                      const HostLook& look, const ProcessId& guest,
                                      const std::vector<DeviceRule>& rules) {
    std::vector<Op> out;
    const auto& who = running.identity;
    if (auto checked = check_taps(added.descriptors, look); !checked) return std::unexpected(checked.error());
    for (const auto& directory : added.directories) out.push_back(lowered(directory, who));
    for (const auto& file : added.files)
        out.push_back(lowered(file, owner_of_made(file.guest_owned, who), who, look));
    if (who.make_apparmor_profile) {
        auto more = running;
        more.grants.insert(more.grants.end(), added.grants.begin(), added.grants.end());
        more.descriptors.insert(more.descriptors.end(), added.descriptors.begin(), added.descriptors.end());
        more.directories.insert(more.directories.end(), added.directories.begin(), added.directories.end());
        more.files.insert(more.files.end(), added.files.begin(), added.files.end());
        out.emplace_back(
            LoadProfile{who.apparmor_profile, apparmor_profile(more, look), apparmor_profile(running, look)});
    }
    for (const auto& descriptor : added.descriptors)
        if (auto op = descriptor_op(descriptor, who, look)) out.push_back(std::move(*op));
    if (running.confinement.mount_namespace)
        for (auto& op : TRY(dev_ops(added.grants, who, look))) {
            const auto* const place = place_in_dev(op);
            if (place != nullptr && has(running, *place))
                continue; // its inverse would take the running guest's own node away
            set_guest(op, guest);
            out.push_back(std::move(op));
        }
    const auto groups = cgroups(running, look);
    if (groups.backend != DeviceBackend::none) {
        // Only what is missing: the inverse takes exactly this out again.
        const auto more = lacking(device_rules(added.grants, {}, look), rules);
        if (!more.empty()) out.emplace_back(AddDevices{groups.backend, groups.device_group, more});
    }
    const bool own_dev = running.confinement.mount_namespace;
    for (auto& op : TRY(map_ops(added.grants, who, own_dev, look))) {
        set_guest(op, guest);
        out.push_back(std::move(op));
    }
    for (auto& op : TRY(dac_ops(added.grants, who, own_dev, look, running.name)))
        out.push_back(std::move(op));
    std::vector<std::string> notes; // a device that is added later has no place for them
    for (auto& op : label_ops(added.grants, who, own_dev, look, running.name, notes))
        out.push_back(std::move(op));
    return out;
}

Result<std::vector<Op>> lower_unplug(const LaunchPlan& left, const Lowered& lowered, std::vector<Op> undo,
                                     const std::vector<Grant>& released, const HostLook& look,
                                     const ProcessId& guest) {
    auto kept = left.confinement.base_devices;
    kept.insert(kept.end(), left.grants.begin(), left.grants.end());
    std::set<std::string> kept_places, kept_paths;
    for (const auto& op : TRY(dev_ops(kept, left.identity, look)))
        if (const auto* place = place_in_dev(op)) kept_places.insert(*place);
    for (const auto& grant : left.grants) kept_paths.insert(grant.path);
    const auto kept_rules = device_rules(left.grants, left.confinement.base_devices, look);

    // Two devices may use one file: what the other still needs is left, and goes with the guest.
    std::vector<Op> out;
    for (auto& op : undo) {
        if (const auto* place = place_in_dev(op); place != nullptr && kept_places.contains(*place)) continue;
        if (const auto* owner = std::get_if<Chown>(&op); owner && kept_paths.contains(owner->path)) continue;
        if (auto* devices = std::get_if<RemoveDevices>(&op)) {
            devices->rules = lacking(devices->rules, kept_rules);
            if (devices->rules.empty()) continue;
        }
        out.push_back(std::move(op));
    }

    if (left.identity.make_apparmor_profile) { // of what is left now, whatever came and went since
        std::erase_if(out, [](const Op& op) { return std::holds_alternative<LoadProfile>(op); });
        out.emplace_back(LoadProfile{left.identity.apparmor_profile, apparmor_profile(left, look), {}});
    }

    // A device that was there from the start left no inverses: nodes and rules go with the guest. They are
    // found by what the launch made, for the host's own node may be gone.
    std::set<std::string> places;
    for (const auto& op : TRY(dev_ops(released, left.identity, look)))
        if (const auto* place = place_in_dev(op)) places.insert(*place);
    for (const auto& grant : released) places.insert(grant.path);
    std::vector<DeviceRule> rules = device_rules(released, {}, look);
    for (auto op = lowered.devices.rbegin(); op != lowered.devices.rend(); ++op) {
        const auto* const place = place_in_dev(*op);
        if (place == nullptr || !places.contains(*place) || kept_places.contains(*place)) continue;
        const bool undone = std::ranges::any_of(out, [&](const Op& o) {
            return std::holds_alternative<RemoveNode>(o) && *place_in_dev(o) == *place;
        });
        if (!undone) out.emplace_back(RemoveNode{guest, *place, std::holds_alternative<BindMount>(*op)});
        if (const auto* node = std::get_if<MakeNode>(&*op))
            rules.push_back({node->type, node->major, node->minor, true, true, false});
    }
    // Each once, and only what the list has and nothing above takes out already.
    std::vector<DeviceRule> removed, listed;
    for (const auto& op : out)
        if (const auto* devices = std::get_if<RemoveDevices>(&op))
            removed.insert(removed.end(), devices->rules.begin(), devices->rules.end());
    for (const auto& rule : lacking(rules, kept_rules)) {
        const auto same = [&](const DeviceRule& r) {
            return r.type == rule.type && r.major == rule.major && r.minor == rule.minor;
        };
        const auto rest = lacking(rule, removed);
        if (!rest || std::ranges::none_of(lowered.device_rules, same)) continue;
        removed.push_back(*rest);
        listed.push_back(*rest);
    }
    if (lowered.device_backend != DeviceBackend::none && !listed.empty())
        out.emplace_back(RemoveDevices{lowered.device_backend, lowered.device_group, listed});
    return out;
}

void note_changes(Lowered& lowered, const std::vector<Op>& done) {
    const auto same_device = [](const DeviceRule& a) {
        return [&a](const DeviceRule& b) {
            return a.type == b.type && a.major == b.major && a.minor == b.minor;
        };
    };
    for (const auto& op : done) {
        if (const auto* place = place_in_dev(op)) {
            std::erase_if(lowered.devices, [&](const Op& o) {
                const auto* const its = place_in_dev(o);
                return its != nullptr && *its == *place;
            });
            if (!std::holds_alternative<RemoveNode>(op)) lowered.devices.push_back(op);
        }
        if (std::holds_alternative<LabelFile>(op)) lowered.ownership.push_back(op);
        if (const auto* back = std::get_if<ReturnLabel>(&op))
            std::erase_if(lowered.ownership, [&](const Op& o) {
                const auto* given = std::get_if<LabelFile>(&o);
                return given != nullptr && given->path == back->path && given->holder == back->holder;
            });
        if (const auto* more = std::get_if<AddDevices>(&op))
            for (const auto& rule : more->rules) {
                const auto known = std::ranges::find_if(lowered.device_rules, same_device(rule));
                if (known == lowered.device_rules.end()) {
                    lowered.device_rules.push_back(rule);
                    continue;
                }
                known->read |= rule.read;
                known->write |= rule.write;
                known->make_node |= rule.make_node;
            }
        if (const auto* less = std::get_if<RemoveDevices>(&op))
            for (const auto& rule : less->rules) {
                const auto known = std::ranges::find_if(lowered.device_rules, same_device(rule));
                if (known == lowered.device_rules.end()) continue;
                known->read &= !rule.read;
                known->write &= !rule.write;
                known->make_node &= !rule.make_node;
                if (!known->read && !known->write && !known->make_node) lowered.device_rules.erase(known);
            }
    }
}

} // namespace cloister
