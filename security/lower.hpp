/// From the plan to what is done: an ordered list of Ops for the daemon, a script for the launch helper, Ops
/// for inside the guest's mount namespace. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "security/look.hpp"
#include "security/plan.hpp"
#include "security/script.hpp"

#include <map>
#include <string>
#include <vector>

namespace cloister {

struct Lowered {
    std::vector<Op> directories{}, files{}, cgroups{}; ///< before spawn, in this order
    std::vector<Op> descriptors{};
    std::vector<std::string>
        groups{};            ///< absolute cgroup folders that the process is in from its first instruction
    std::string cgroup_v2{}; ///< the one of them that clone3 can enter directly; empty: none
    Script script{};         ///< for cloister-confine
    std::map<std::string, int> fds{}; ///< symbol -> number in QEMU
    std::vector<Op> devices{};   ///< in the namespace, after the helper made it; `guest` is filled in then
    std::vector<Op> ownership{}; ///< just before exec
    std::vector<DeviceRule> device_rules{}; ///< what `cgroups` installs, for verification
    DeviceBackend device_backend = DeviceBackend::none;
    std::vector<std::string> notes{}; ///< what this host cannot do: "landlock: the kernel has none"
    bool operator==(const Lowered&) const = default;
};

/// Errors: config_unsupported for an owner, capability or controller that nobody knows; operation_invalid for
/// a granted path that is not there and not optional.
Result<Lowered> lower(const LaunchPlan& plan, const HostLook& look);

/// Every name that lower() will ask `look.paths` about (symlink chains are followed by the looker).
std::vector<std::string> paths_of(const LaunchPlan& plan);
/// Owners that label overrides name: "root:root". Numbers ("+0:+0") need no look.
std::vector<std::string> owner_names_of(const LaunchPlan& plan);

/// The Ops of a hot-plug for a running guest: nodes, device rules, owners, in this order; their inverses undo
/// it, or serve the unplug. `rules`: the guest's present device list.
Result<std::vector<Op>> lower_hotplug(const LaunchPlan& running, const DevicePlan& added,
                                      const HostLook& look, const ProcessId& guest,
                                      const std::vector<DeviceRule>& rules);

} // namespace cloister
