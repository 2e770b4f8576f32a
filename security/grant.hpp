/// One thing of the host that a guest may touch, as a value. Every layer derives its own part from the same
/// list: SELinux a label, DAC an owner, the mount namespace a node, the cgroup a rule.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cloister {

enum class Access { read, read_write };
enum class Sharing { exclusive, shared };
/// What stands at the path. The planner takes it from the host facts; `unknown` where it does not exist yet.
enum class Kind { unknown, file, block_device, char_device, directory, socket, fifo };

/// A per-device <seclabel>: what one security model does differently for this path.
struct LabelOverride {
    std::string model{};                ///< "dac" or "selinux"; empty: every model
    bool relabel = true;                ///< false: leave owner or label alone
    std::optional<std::string> label{}; ///< absent: the guest's own
    bool operator==(const LabelOverride&) const = default;
};

struct Grant {
    std::string path{};
    Kind kind = Kind::unknown;
    Access access = Access::read; ///< never defaulted upwards
    Sharing sharing = Sharing::exclusive;
    std::vector<LabelOverride> overrides{};
    bool created_by_us = false; ///< made for this guest and removed with it: nothing to remember or restore
    bool keep_owner = false;    ///< the device ACL and /dev only: owner and label stay as they are
    bool optional = false;      ///< a path that does not exist is skipped (base device list)
    std::string why{};          ///< provenance: "disk vda", "qemu:arg 3", "qemu.conf cgroup_device_acl"
    bool operator==(const Grant&) const = default;
};

} // namespace cloister
