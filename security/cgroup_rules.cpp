#include "security/cgroup_rules.hpp"

#include "conf/base/tr.hpp"
#include "security/cgroup_layout.hpp"
#include "security/multipath.hpp"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <map>
#include <string_view>
#include <tuple>

namespace cloister {
namespace {

constexpr std::uint32_t pty_major = 136;
/// Joined when qemu.conf does not say which. cpuset is not: pinning goes by affinity, and its groups cost
/// most.
constexpr std::array<std::string_view, 4> used{"cpu", "cpuacct", "memory", "blkio"};
constexpr std::array<std::string_view, 12> kernel_names{"cgroup.", "cpu.",     "cpuacct.",    "cpuset.",
                                                        "memory.", "devices.", "freezer.",    "blkio.",
                                                        "pids.",   "io.",      "perf_event.", "hugetlb."};

std::string safe(std::string name) {
    const auto clash = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (name.starts_with('.') || name.starts_with('_') || std::ranges::any_of(kernel_names, clash))
        name.insert(0, 1, '_');
    return name;
}

/// Source: systemd.unit(5), "String escaping for inclusion in unit names".
std::string unit_escaped(std::string_view text) {
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.";
    std::string out;
    for (const char c : text)
        if (plain.find(c) == plain.npos || (c == '.' && out.empty()))
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else
            out += c;
    return out;
}

/// The slices of a partition, outermost first: "a.slice", "a-b.slice". The root has none of its own.
std::vector<std::string> slice_of(const Confinement& confinement) {
    std::vector<std::string> out;
    std::string name;
    const std::string_view partition = confinement.cgroup_partition;
    for (std::size_t at = 0; at < partition.size();) {
        const auto end = std::min(partition.find('/', at), partition.size());
        if (end > at) {
            name += (name.empty() ? "" : "-") + unit_escaped(partition.substr(at, end - at));
            out.push_back(name + ".slice");
        }
        at = end + 1;
    }
    return out;
}

bool wants(const LaunchPlan& plan, std::string_view controller) {
    const auto& only = plan.confinement.cgroup_controllers;
    if (!only.empty()) return std::ranges::find(only, controller) != only.end();
    return controller == "devices" || std::ranges::find(used, controller) != used.end();
}
/// v2 names the block controller "io" and has the accounting in "cpu".
bool wants_v2(const LaunchPlan& plan, std::string_view controller) {
    return wants(plan, controller == "io" ? "blkio" : controller);
}

} // namespace

std::vector<std::string> partition_paths(const Confinement& confinement) {
    std::vector<std::string> out;
    if (confinement.machine_scope) return out; // systemd makes them
    std::string path;
    const std::string_view partition = confinement.cgroup_partition;
    for (std::size_t at = 0; at < partition.size();) {
        const auto end = std::min(partition.find('/', at), partition.size());
        if (end > at) {
            auto name = std::string(partition.substr(at, end - at));
            const bool machine = path.empty() && name == "machine";
            if (!machine && !name.ends_with(".partition")) name += ".partition";
            path += (path.empty() ? "" : "/") + safe(name);
            out.push_back(path);
        }
        at = end + 1;
    }
    return out;
}

std::string slice_name(const Confinement& confinement) {
    const auto slices = slice_of(confinement);
    return slices.empty() ? "-.slice" : slices.back();
}

std::string group_path(const Confinement& confinement) {
    if (confinement.machine_scope) {
        std::string path;
        for (const auto& slice : slice_of(confinement)) path += slice + "/";
        return path + "machine-" + unit_escaped(confinement.cgroup_name) + ".scope/cloister";
    }
    const auto above = partition_paths(confinement);
    const auto name = safe(confinement.cgroup_name + ".cloister");
    return above.empty() ? name : above.back() + "/" + name;
}

std::vector<DeviceRule> device_rules(const std::vector<Grant>& grants, const std::vector<Grant>& base,
                                     const HostLook& look) {
    std::map<std::tuple<NodeType, std::uint32_t, std::uint32_t>, DeviceRule> found;
    for (const auto* list : {&base, &grants})
        for (const auto& grant : with_paths_of_multipath(*list, look)) {
            const auto there = destination(look, grant.path);
            if (there.seen == nullptr) continue;
            if (there.seen->kind != SeenKind::char_device && there.seen->kind != SeenKind::block_device)
                continue;
            const auto type =
                there.seen->kind == SeenKind::block_device ? NodeType::block_device : NodeType::char_device;
            auto& rule = found[{type, there.seen->major, there.seen->minor}];
            rule.type = type;
            rule.major = there.seen->major;
            rule.minor = there.seen->minor;
            rule.read = true;
            rule.write |= grant.access == Access::read_write;
        }
    std::vector<DeviceRule> out;
    for (auto& [key, rule] : found) out.push_back(rule);
    out.push_back({NodeType::char_device, pty_major, std::nullopt, true, true, false});
    return out;
}

Cgroups cgroups(const LaunchPlan& plan, const HostLook& look) {
    Cgroups out;
    const auto& confinement = plan.confinement;
    if (!confinement.use_cgroups) return out;
    const auto path = group_path(confinement);
    const auto above = partition_paths(confinement);
    const bool acl = confinement.device_acl && wants(plan, "devices");
    const auto backend = acl ? device_backend(look.cgroups) : DeviceBackend::none;
    bool threads_limited = !confinement.limits.threads.has_value();

    const auto make = [&](const CgroupHierarchy& in, std::vector<std::string> controllers) {
        const bool cpuset = !in.v2 && std::ranges::find(in.controllers, "cpuset") != in.controllers.end();
        const MakeCgroup group{.root = in.mount,
                               .path = path,
                               .controllers = std::move(controllers),
                               .cpus = cpuset ? look.cgroups.cpus : "",
                               .mems = cpuset ? look.cgroups.mems : ""};
        for (const auto& partition : above)
            if (!look.paths.contains(in.mount + "/" + partition)) {
                auto op = group;
                op.path = partition;
                op.partition = true;
                out.ops.emplace_back(std::move(op));
            }
        out.ops.emplace_back(group);
        auto& limit = confinement.machine_scope ? out.entered : out.ops;
        if (confinement.limits.threads && std::ranges::find(in.controllers, "pids") != in.controllers.end()) {
            limit.emplace_back(SetCgroupValue{in.mount + "/" + path + "/pids.max",
                                              std::to_string(*confinement.limits.threads), std::nullopt});
            threads_limited = true;
        }
        return in.mount + "/" + path;
    };
    const auto list_devices = [&](const std::string& group) {
        out.backend = backend;
        out.device_group = group;
        out.rules = device_rules(plan.grants, confinement.base_devices, look);
        out.ops.emplace_back(DeviceAcl{backend, group, out.rules});
    };

    for (const auto& hierarchy : look.cgroups.hierarchies) {
        const auto used_here = [&](const std::string& controller) {
            if (controller == "pids") return confinement.limits.threads.has_value();
            if (controller == "devices") return backend == DeviceBackend::v1;
            return hierarchy.v2 ? wants_v2(plan, controller) : wants(plan, controller);
        };
        std::vector<std::string> controllers;
        std::ranges::copy_if(hierarchy.controllers, std::back_inserter(controllers), used_here);
        if (hierarchy.v2) {
            if (controllers.empty() && backend != DeviceBackend::bpf) continue;
            if (confinement.machine_scope && !controllers.empty()) {
                std::string all;
                for (const auto& controller : controllers) all += (all.empty() ? "+" : " +") + controller;
                const auto scope = hierarchy.mount + "/" + path.substr(0, path.rfind('/'));
                out.entered.emplace_back(
                    SetCgroupValue{scope + "/cgroup.subtree_control", all, std::nullopt});
            }
            out.v2 = make(hierarchy, confinement.machine_scope ? std::vector<std::string>{} : controllers);
            if (backend == DeviceBackend::bpf) list_devices(out.v2);
        } else if (!controllers.empty()) {
            out.groups.push_back(make(hierarchy, {}));
            if (std::ranges::find(controllers, "devices") != controllers.end())
                list_devices(out.groups.back());
        }
    }
    // Who enters a cpu group queues up again for the processor: last, so that nothing else waits for that.
    std::ranges::stable_partition(
        out.groups, [](const std::string& group) { return group.find("/cpu/") == std::string::npos; });
    if (acl && backend == DeviceBackend::none) out.notes.push_back(without_device_backend(look.cgroups));
    if (!threads_limited) out.notes.push_back(tr("cgroup: this host has no controller 'pids'"));
    return out;
}

} // namespace cloister
