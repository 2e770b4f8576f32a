/// What the host looks like where a launch will touch it, as a value: read once, before lowering, so that
/// lowering is a function and `explain` shows the very Ops of a launch.
#pragma once

#include "security/op.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cloister {

enum class SeenKind { file, directory, symlink, char_device, block_device, socket, fifo };
/// One name as lstat saw it.
struct Seen {
    SeenKind kind = SeenKind::file;
    FileId id{};
    Owner owner{};
    std::uint32_t mode = 0;                    ///< permission bits
    std::uint32_t major = 0, minor = 0;        ///< of a device node
    std::string target{};                      ///< of a symlink, as written
    std::string next{};                        ///< of a symlink: the absolute path it leads to
    std::string acl{};                         ///< bytes of system.posix_acl_access; empty: none
    std::string real{};                        ///< the same name without any symlink; empty: as it is
    std::optional<Owner> former{};             ///< of a file that guests hold: whose it is without them
    std::string label{};                       ///< SELinux's; empty: none, or no SELinux
    std::string default_label{};               ///< what the policy has for it
    std::optional<std::string> former_label{}; ///< of a file that guests hold: its label without them
    bool can_be_labelled = true;               ///< false: its file system has one label for all, as NFS
    std::vector<std::string> multipath{};      ///< of a multipath device: the disks that are its paths
    bool operator==(const Seen&) const = default;
};

/// One mounted hierarchy.
struct CgroupHierarchy {
    std::string mount{}; ///< "/sys/fs/cgroup/memory"
    std::vector<std::string>
        controllers{}; ///< v1: {"memory"}, {"name=systemd"}; v2: its available controllers
    bool v2 = false;
    bool operator==(const CgroupHierarchy&) const = default;
};
struct CgroupLayout {
    std::vector<CgroupHierarchy> hierarchies{};
    std::string cpus{}, mems{};       ///< the v1 cpuset root's, for new groups
    bool device_programs = true;      ///< v2 groups take BPF device programs
    std::vector<std::string> notes{}; ///< what of it cannot be used
    bool operator==(const CgroupLayout&) const = default;
};

struct HostLook {
    std::map<std::string, Seen> paths{}; ///< every name on the way, symlinks included; absent: not there
    std::vector<std::string>
        dev_submounts{};                   ///< "/dev/pts", "/dev/shm": topmost of each, nested ones left out
    std::vector<std::string> interfaces{}; ///< of the taps' names: those that exist already
    CgroupLayout cgroups{};
    int landlock_abi = 0;                                ///< 0: the kernel has none
    std::map<std::string, std::string> default_labels{}; ///< SELinux: of files that a launch makes and keeps
    std::map<std::string, Owner> names{};                ///< owners written by name in label overrides
    std::uint32_t last_capability = 40;
    std::uint64_t own_capabilities = ~std::uint64_t{0}; ///< what the daemon itself has to give
    bool operator==(const HostLook&) const = default;
};

/// Where a name leads: the symlinks on the way, and what stands at the end.
struct Destination {
    std::vector<std::pair<std::string, std::string>> links{}; ///< name -> target as written
    std::string path{};
    const Seen* seen = nullptr; ///< nothing there; lives as long as the look
};
Destination destination(const HostLook& look, const std::string& path);
/// SELinux: what the policy has for a file of ours that may not be there yet; empty: it says nothing.
std::string default_label_of(const HostLook& look, const std::string& path);

} // namespace cloister
