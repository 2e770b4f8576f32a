/// From the plan to what is done: an ordered list of Ops for the daemon, a script for the launch helper, Ops
/// for inside the guest's mount namespace. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "security/look.hpp"
#include "security/plan.hpp"
#include "security/script.hpp"
#include "security/seccomp.hpp"

#include <map>
#include <string>
#include <vector>

namespace cloister {

struct Lowered {
    std::vector<Op> directories{}, files{}, descriptors{}, cgroups{}; ///< before spawn, in this order
    std::vector<Op> entered{}; ///< once the process is in its group: only of a plan with a machine scope
    std::vector<std::string> groups{}; ///< absolute cgroup folders: the process is born in them
    std::string cgroup_v2{};           ///< the one of them that clone3 can enter directly; empty: none
    Script script{};                   ///< for cloister-confine; the compiled filter is added at launch
    std::vector<Script> helpers{};     ///< one for each of plan.helpers
    SeccompPolicy seccomp{};           ///< of QEMU and the helpers; no rules: no filter of ours
    std::map<std::string, int> fds{};  ///< symbol -> number in QEMU
    std::vector<Op> devices{};   ///< in the namespace, after the helper made it; `guest` is filled in then
    std::vector<Op> ownership{}; ///< just before exec
    std::vector<DeviceRule> device_rules{}; ///< what `cgroups` installs, for verification
    DeviceBackend device_backend = DeviceBackend::none;
    std::string device_group{};       ///< absolute folder of the group with the device list
    std::vector<std::string> notes{}; ///< what this host cannot do: "landlock: the kernel has none"
    bool operator==(const Lowered&) const = default;
};

/// Errors: config_unsupported for an owner, capability or controller that nobody knows; operation_invalid for
/// a granted path that is not there and not optional.
Result<Lowered> lower(const LaunchPlan& plan, const HostLook& look);

/// Every name that lower() will ask `look.paths` about (symlink chains are followed by the looker).
std::vector<std::string> paths_of(const LaunchPlan& plan, const CgroupLayout& cgroups);
std::vector<std::string> paths_of(const DevicePlan& added);
/// Owners that label overrides name: "root:root". Numbers ("+0:+0") need no look.
std::vector<std::string> owner_names_of(const std::vector<Grant>& grants);

/// Names the process whose /dev an Op of `devices` is about.
void set_guest(Op& op, const ProcessId& guest);

/// The Ops of a hot-plug for a running guest: nodes, device rules, owners, in this order; their inverses undo
/// it, or serve the unplug. `rules`: the guest's present device list.
Result<std::vector<Op>> lower_hotplug(const LaunchPlan& running, const DevicePlan& added,
                                      const HostLook& look, const ProcessId& guest,
                                      const std::vector<DeviceRule>& rules);

/// What an unplug takes back: `undo` (of the hot-plug; empty for a device from the start) and the nodes and
/// device rules of `released`, without what the devices that are `left` need too. `lowered`: of the running
/// guest. `look`: at the grants of both.
Result<std::vector<Op>> lower_unplug(const LaunchPlan& left, const Lowered& lowered, std::vector<Op> undo,
                                     const std::vector<Grant>& released, const HostLook& look,
                                     const ProcessId& guest);

/// Keeps what verification expects in step with what a hot-plug or an unplug did to a running guest.
void note_changes(Lowered& lowered, const std::vector<Op>& done);

} // namespace cloister
