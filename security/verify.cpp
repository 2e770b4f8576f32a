#include "security/verify.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "security/caps.hpp"
#include "security/limits.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <functional>

namespace cloister {
namespace {

template <class Numbers> std::string joined(const Numbers& numbers) {
    std::string out;
    for (const auto& n : numbers) out += (out.empty() ? "" : " ") + std::to_string(n);
    return out;
}

std::string amount(std::uint64_t value) {
    return value == ~std::uint64_t{0} ? "unlimited" : std::to_string(value);
}

class Verification {
public:
    Verification(const LaunchPlan& plan, const Lowered& lowered, const ProcessFacts& facts)
        : plan_(plan), lowered_(lowered), facts_(facts) {}

    Report report() {
        identity();
        capabilities();
        filters();
        namespaces();
        dev();
        groups();
        limits();
        descriptors();
        environment();
        out_.relaxations = plan_.confinement.relaxations;
        out_.notes = lowered_.notes;
        denials();
        if (plan_.confinement.mount_namespace && facts_.own_mount_namespace && !facts_.follows_host)
            out_.notes.push_back(
                tr("mountns: what the host mounts from now on does not appear inside, because "
                   "its '/' was not shared; 'mount --make-rshared /' changes that for guests "
                   "that start later"));
        return std::move(out_);
    }

private:
    void item(Layer layer, std::string what, std::string planned, std::string found, std::string why = {}) {
        const bool same = planned == found;
        out_.items.push_back(
            {layer, std::move(what), std::move(planned), std::move(found), same, std::move(why)});
    }
    /// What every thread must have: one line when all do, and one for each that does not.
    void threads(Layer layer, const std::string& what, const std::string& planned,
                 const std::function<std::string(const ThreadFacts&)>& found, const std::string& why = {}) {
        bool all = true;
        for (const auto& thread : facts_.threads)
            if (found(thread) != planned) {
                item(layer, fmt::format("{} of thread {} ({})", what, thread.tid, thread.name), planned,
                     found(thread), why);
                all = false;
            }
        if (all)
            item(layer, fmt::format("{} of {} threads", what, facts_.threads.size()), planned, planned, why);
    }

    void identity() {
        const auto& who = plan_.identity;
        if (facts_.threads.empty()) item(Layer::none, "threads", "some", "none");
        if (who.set_ids) {
            const auto four = [](std::uint32_t id) { return joined(std::vector<std::uint32_t>(4, id)); };
            threads(Layer::dac, "uid", four(who.uid), [](const auto& t) { return joined(t.uids); }, who.why);
            threads(Layer::dac, "gid", four(who.gid), [](const auto& t) { return joined(t.gids); }, who.why);
            const auto sorted = [](std::vector<std::uint32_t> ids) {
                std::ranges::sort(ids);
                return joined(ids);
            };
            threads(
                Layer::dac, "groups", sorted(lowered_.script.groups),
                [&](const auto& t) { return sorted(t.groups); }, who.why);
        }
        if (!who.process_context.empty())
            threads(
                Layer::selinux, "context", who.process_context, [](const auto& t) { return t.context; },
                who.mac_why);
        if (!who.apparmor_profile.empty())
            threads(
                Layer::apparmor, "profile", who.apparmor_profile + " (enforce)",
                [](const auto& t) { return t.context; }, who.mac_why);
        for (const auto& op : lowered_.ownership)
            if (const auto* file = std::get_if<LabelFile>(&op)) {
                const auto found = facts_.labels.find(file->path);
                item(Layer::selinux, "label of " + file->path, file->label,
                     found == facts_.labels.end() ? std::string() : found->second, file->holder);
            }
        if (plan_.confinement.mount_namespace && !lowered_.script.selinux_dev.empty())
            item(Layer::selinux, "label of /dev", lowered_.script.selinux_dev, facts_.dev_label, who.mac_why);
        for (const auto& op : lowered_.devices)
            if (const auto* map = std::get_if<MapOwner>(&op)) {
                const auto& found = facts_.idmapped_mounts;
                item(Layer::dac, "owner map of " + map->path, "mounted",
                     std::ranges::find(found, map->path) != found.end() ? "mounted" : "",
                     "qemu.conf ownership");
            }
        item(Layer::none, "umask", fmt::format("{:04o}", lowered_.script.umask),
             fmt::format("{:04o}", facts_.umask));
    }

    void capabilities() {
        const auto& script = lowered_.script;
        threads(Layer::caps, "no_new_privs",
                script.no_new_privs || plan_.confinement.qemu_seccomp ? "1" : "0",
                [](const auto& t) { return std::to_string(t.no_new_privs); });
        if (!script.clear_capabilities) return;
        const auto names = [&](std::uint64_t bits) { return capability_names(bits, script.last_capability); };
        using Set = std::pair<const char*, std::uint64_t ThreadFacts::*>;
        for (const auto& [name, set] :
             {Set{"CapInh", &ThreadFacts::cap_inh}, Set{"CapPrm", &ThreadFacts::cap_prm},
              Set{"CapEff", &ThreadFacts::cap_eff}, Set{"CapBnd", &ThreadFacts::cap_bnd},
              Set{"CapAmb", &ThreadFacts::cap_amb}})
            threads(Layer::caps, name, names(script.kept_capabilities),
                    [&](const auto& t) { return names(t.*set); });
    }

    void filters() {
        const int ours = lowered_.seccomp.rules.empty() ? 0 : 1,
                  qemus = plan_.confinement.qemu_seccomp ? 1 : 0;
        threads(
            Layer::seccomp, "mode", ours + qemus > 0 ? "2" : "0",
            [](const auto& t) { return std::to_string(t.seccomp_mode); }, "2: filter");
        threads(
            Layer::seccomp, "filters", std::to_string(ours + qemus),
            [](const auto& t) { return std::to_string(t.seccomp_filters); },
            fmt::format("{} of ours from before exec, {} of QEMU's own", ours, qemus));
        if (plan_.confinement.landlock && lowered_.script.landlock)
            item(Layer::landlock, "domain", "own", "own",
                 lowered_.script.landlock_scoped != 0
                     ? "tried before exec: making a node and signalling the daemon were refused"
                     : "tried before exec: making a node was refused; signals are not kept inside");
    }

    void namespaces() {
        item(Layer::mountns, "mount namespace", plan_.confinement.mount_namespace ? "own" : "the host's",
             facts_.own_mount_namespace ? "own" : "the host's");
        if (!plan_.confinement.mount_namespace) return;
        std::string shared;
        for (const auto& point : facts_.peer_mounts) shared += (shared.empty() ? "" : " ") + point;
        item(Layer::mountns, "mounts that get out", "", shared, "propagation is slave or private");
    }

    static std::string node_text(char type, std::uint32_t major, std::uint32_t minor, std::uint32_t mode,
                                 Owner owner) {
        return fmt::format("{} {}:{} {:04o} +{}:+{}", type, major, minor, mode, owner.uid, owner.gid);
    }
    static std::string found_text(const Seen& seen) {
        switch (seen.kind) {
        case SeenKind::char_device: return node_text('c', seen.major, seen.minor, seen.mode, seen.owner);
        case SeenKind::block_device: return node_text('b', seen.major, seen.minor, seen.mode, seen.owner);
        case SeenKind::symlink: return "-> " + seen.target;
        case SeenKind::directory: return "directory";
        case SeenKind::file: return "file";
        case SeenKind::socket: return "socket";
        case SeenKind::fifo: return "fifo";
        }
        return "";
    }

    void dev() {
        if (!plan_.confinement.mount_namespace) return;
        std::map<std::string, std::string> planned;
        for (const auto& op : lowered_.devices)
            std::visit(overload{[&](const MakeNode& o) {
                                    planned[o.path] = node_text(o.type == NodeType::block_device ? 'b' : 'c',
                                                                o.major, o.minor, o.mode, o.owner);
                                },
                                [&](const MakeLink& o) { planned[o.path] = "-> " + o.target; },
                                [&](const BindMount& o) { planned[o.path] = "mount"; }, [](const auto&) {}},
                       op);
        std::set<std::string> mounts{"/dev"};
        mounts.insert(lowered_.script.dev_submounts.begin(), lowered_.script.dev_submounts.end());
        const auto leads_to_planned = [&](const std::string& folder) {
            const auto below = [&](const std::string& path) { return path.starts_with(folder + "/"); };
            return std::ranges::any_of(mounts, below) ||
                   std::ranges::any_of(planned, [&](const auto& node) { return below(node.first); });
        };
        for (const auto& [path, text] : planned) {
            const auto there = facts_.dev.find(path);
            const auto mounted = std::ranges::find(facts_.dev_mounts, path) != facts_.dev_mounts.end();
            std::string found;
            if (text == "mount")
                found = mounted ? "mount" : "";
            else if (there != facts_.dev.end())
                found = found_text(there->second);
            item(Layer::mountns, "node " + path, text, found);
        }
        for (const auto& [path, seen] : facts_.dev) {
            if (planned.contains(path) || mounts.contains(path)) continue;
            if (seen.kind == SeenKind::directory && leads_to_planned(path)) continue;
            item(Layer::mountns, "node " + path, "", found_text(seen), "nothing in the plan put it there");
        }
        std::set<std::string> nested; // a kept mount brings along what is mounted inside
        for (const auto& point : facts_.dev_mounts)
            for (const auto& kept : lowered_.script.dev_submounts)
                if (point.starts_with(kept + "/")) nested.insert(point);
        for (const auto& point : std::set<std::string>(facts_.dev_mounts.begin(), facts_.dev_mounts.end())) {
            if (nested.contains(point)) continue;
            const bool expected = mounts.contains(point) || planned.contains(point);
            if (!expected)
                item(Layer::mountns, "mount " + point, "", "mounted", "nothing in the plan mounted it");
        }
        std::string missing;
        for (const std::string flag : {"nosuid", "noexec"})
            if (("," + facts_.dev_flags + ",").find("," + flag + ",") == std::string::npos)
                missing += (missing.empty() ? "" : ",") + flag;
        item(Layer::mountns, "flags of /dev", "nosuid,noexec",
             missing.empty() ? "nosuid,noexec" : "without " + missing);
        for (const auto& point : mounts)
            item(Layer::mountns, "mount " + point, "mounted",
                 std::ranges::find(facts_.dev_mounts, point) != facts_.dev_mounts.end() ? "mounted" : "");
    }

    void groups() {
        auto planned = lowered_.groups;
        if (!lowered_.cgroup_v2.empty()) planned.push_back(lowered_.cgroup_v2);
        for (const auto& group : planned) {
            const auto in = facts_.cgroups.find(group);
            std::size_t inside = 0;
            for (const auto& thread : facts_.threads)
                if (in != facts_.cgroups.end() && in->second.contains(thread.tid)) ++inside;
            item(Layer::cgroup, "threads in " + group, std::to_string(facts_.threads.size()),
                 std::to_string(inside));
        }
        if (lowered_.device_backend == DeviceBackend::none) return;
        if (lowered_.device_backend == DeviceBackend::bpf)
            item(Layer::cgroup, "device programs", "1", std::to_string(facts_.device_programs),
                 lowered_.device_group);
        if (!facts_.device_rules) {
            item(Layer::cgroup, "device list", "exact", "everything is allowed", lowered_.device_group);
            return;
        }
        std::set<std::string> planned_rules, found_rules;
        for (const auto& rule : lowered_.device_rules) planned_rules.insert(printed(rule));
        for (const auto& rule : *facts_.device_rules) found_rules.insert(printed(rule));
        auto every = planned_rules;
        every.insert(found_rules.begin(), found_rules.end());
        for (const auto& rule : every)
            item(Layer::cgroup, "device " + rule, planned_rules.contains(rule) ? "allowed" : "",
                 found_rules.contains(rule) ? "allowed" : "");
    }

    void denials() {
        out_.denied = facts_.denials;
        if (out_.denied) return;
        switch (lowered_.device_backend) {
        case DeviceBackend::none: out_.denied_why = tr("there is no device list"); break;
        case DeviceBackend::v1:
            out_.denied_why = tr("the v1 controller 'devices' keeps no account of what it refuses");
            break;
        case DeviceBackend::bpf: out_.denied_why = tr("the group's device program keeps no account"); break;
        }
    }

    void limits() {
        for (const auto& limit : lowered_.script.limits) {
            const auto found = facts_.limits.find(limit.resource);
            item(Layer::limits, std::string(limit_name(limit.resource)), amount(limit.value),
                 found == facts_.limits.end() ? ""
                 : found->second.first == found->second.second
                     ? amount(found->second.first)
                     : amount(found->second.first) + " of " + amount(found->second.second));
        }
    }

    void descriptors() {
        const auto found = [&](int number) {
            const auto at = facts_.fds.find(number);
            return at == facts_.fds.end() ? std::string() : at->second;
        };
        // -add-fd keeps a duplicate of a file, and closes the number that it was handed over as.
        const auto file = [&](int number, const std::string& path) {
            const bool open =
                std::ranges::any_of(facts_.fds, [&](const auto& fd) { return fd.second == path; });
            return open ? path : found(number);
        };
        item(Layer::none, "descriptor 0", "/dev/null", found(0));
        for (const auto& op : lowered_.descriptors)
            std::visit(overload{[&](const OpenFile& o) {
                                    item(Layer::none, fmt::format("descriptor {}", lowered_.fds.at(o.symbol)),
                                         o.path, file(lowered_.fds.at(o.symbol), o.path), o.symbol);
                                },
                                [&](const MakeTap& o) {
                                    item(Layer::none, fmt::format("descriptor {}", lowered_.fds.at(o.symbol)),
                                         "/dev/net/tun", found(lowered_.fds.at(o.symbol)), o.symbol);
                                },
                                [](const auto&) {}}, // a socket has no name to compare
                       op);
        // Of the host's devices, nothing may be open that is neither handed over nor in the list.
        std::set<std::string> handed;
        for (const auto& [symbol, number] : lowered_.fds) handed.insert(found(number));
        for (const auto& op : lowered_.descriptors)
            if (const auto* opened = std::get_if<OpenFile>(&op)) handed.insert(opened->path);
        for (const auto& [number, target] : facts_.fds) {
            if (!target.starts_with("/dev/") || target.starts_with("/dev/pts/") || handed.contains(target))
                continue;
            const bool planned = number < 3 || !plan_.confinement.mount_namespace ||
                                 facts_.dev.contains(target) ||
                                 std::ranges::any_of(
                                     lowered_.script.dev_submounts,
                                     [&](const std::string& m) { return target.starts_with(m + "/"); });
            if (!planned)
                item(Layer::none, fmt::format("descriptor {}", number), "", target,
                     "not a device of this guest");
        }
    }

    void environment() {
        auto planned = lowered_.script.env, found = facts_.environment;
        std::ranges::sort(planned);
        std::ranges::sort(found);
        std::vector<std::string> odd;
        std::ranges::set_symmetric_difference(planned, found, std::back_inserter(odd));
        std::string names; // names only: a value may be a secret
        for (const auto& variable : odd)
            names += (names.empty() ? "" : " ") + variable.substr(0, variable.find('='));
        item(Layer::none, "environment", "as planned", odd.empty() ? "as planned" : "differs in " + names);
    }

    const LaunchPlan& plan_;
    const Lowered& lowered_;
    const ProcessFacts& facts_;
    Report out_{};
};

} // namespace

Report verify(const LaunchPlan& plan, const Lowered& lowered, const ProcessFacts& facts) {
    return Verification(plan, lowered, facts).report();
}

} // namespace cloister
