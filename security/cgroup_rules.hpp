/// The guest's control groups and its device list. Pure.
#pragma once

#include "security/look.hpp"
#include "security/plan.hpp"

#include <string>
#include <vector>

namespace cloister {

/// "machine/qemu-1-a.cloister": below the root of every hierarchy. Components of a partition other than
/// "machine" end in ".partition", as libvirt's do; names that the kernel keeps for itself get a leading "_".
/// With systemd-machined: "machine.slice/machine-qemu\x2d1\x2da.scope/cloister".
std::string group_path(const Confinement& confinement);
/// The slice of a partition, as systemd names it: "/machine" -> "machine.slice", "/a/b" -> "a-b.slice".
std::string slice_name(const Confinement& confinement);
/// The folders above it, outermost first: "machine".
std::vector<std::string> partition_paths(const Confinement& confinement);

/// The exact list: every granted or base node that is there, and all pseudo-terminals. Never with the right
/// to make nodes. One line for a device, sorted.
std::vector<DeviceRule> device_rules(const std::vector<Grant>& grants, const std::vector<Grant>& base,
                                     const HostLook& look);

struct Cgroups {
    std::vector<Op> ops{};
    std::vector<Op>
        entered{}; ///< for when the process is in: a group of v2 with processes hands nothing down
    std::vector<std::string> groups{}; ///< v1 folders
    std::string v2{};                  ///< v2 folder; empty: none
    DeviceBackend backend = DeviceBackend::none;
    std::string device_group{};
    std::vector<DeviceRule> rules{};
    std::vector<std::string> notes{};
    bool operator==(const Cgroups&) const = default;
};
/// Only the controllers that are used: accounting and tuning of CPU, memory and block I/O, the device list,
/// the limit of threads. Where the device list goes: see device_backend().
Cgroups cgroups(const LaunchPlan& plan, const HostLook& look);

} // namespace cloister
