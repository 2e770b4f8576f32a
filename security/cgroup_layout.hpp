/// Which control group hierarchies a host has, and which of them can keep a guest's device list: from what
/// the kernel's files say. Pure.
#pragma once

#include "security/look.hpp"

#include <map>
#include <string>
#include <string_view>

namespace cloister {

/// A path as the kernel's lists of mounts write it (space, tab, newline and backslash as \ooo), plain.
/// Source: proc_pid_mountinfo(5).
std::string unescaped_mount_point(const std::string& text);

/// What the kernel says, as it says it.
struct CgroupTexts {
    std::string mounts{};                              ///< /proc/self/mounts
    std::map<std::string, std::string> controllers{};  ///< v2 mount point -> its cgroup.controllers
    std::map<std::string, std::string> cpus{}, mems{}; ///< v1 mount point -> cpuset.cpus, cpuset.mems
    bool device_programs = true; ///< the kernel attaches device programs to v2 groups (CONFIG_CGROUP_BPF)
    bool operator==(const CgroupTexts&) const = default;
};

/// The mounted hierarchies that can be written to. A later mount at one point hides the earlier; of a
/// hierarchy that is mounted twice the first is taken. A read-only one is left out, with a note.
CgroupLayout cgroup_layout(const CgroupTexts& texts);

/// Who keeps a device list here: v2 with a BPF program where there is a writable v2 hierarchy and the kernel
/// takes such programs, whatever else is mounted; otherwise the v1 controller "devices"; otherwise nobody.
DeviceBackend device_backend(const CgroupLayout& layout);
/// Why it is nobody: one sentence.
std::string without_device_backend(const CgroupLayout& layout);

/// The mount points of the given type ("cgroup", "cgroup2"), in mount order.
std::vector<std::string> mount_points(std::string_view mounts, std::string_view type);

} // namespace cloister
