/// Proves that a guest is confined as planned: compares the plan with facts that were read from the kernel.
/// Pure.
#pragma once

#include "security/lower.hpp"
#include "security/plan.hpp"
#include "security/report.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cloister {

/// /proc/PID/task/TID/status, as far as it says how a thread is confined.
struct ThreadFacts {
    std::int32_t tid = 0;
    std::string name{};
    std::vector<std::uint32_t> uids{}, gids{}, groups{}; ///< real effective saved fs
    std::uint64_t cap_inh = 0, cap_prm = 0, cap_eff = 0, cap_bnd = 0, cap_amb = 0;
    int seccomp_mode = 0, seccomp_filters = 0, no_new_privs = 0;
    std::string context{}; ///< attr/current; empty: no LSM
    bool operator==(const ThreadFacts&) const = default;
};
/// Everything that verification reads, once.
struct ProcessFacts {
    ProcessId process{};
    std::vector<ThreadFacts> threads{};
    bool own_mount_namespace = false;
    std::map<std::string, Seen> dev{};           ///< names in its /dev, without what lies in submounts
    std::vector<std::string> dev_mounts{};       ///< mount points at and below /dev, as it sees them
    std::string dev_flags{};                     ///< of its /dev: "rw,nosuid,noexec,relatime"
    std::string dev_label{};                     ///< SELinux: of its /dev
    std::map<std::string, std::string> labels{}; ///< SELinux: of the host's files that were labelled for it
    std::vector<std::string> idmapped_mounts{};
    std::vector<std::string> peer_mounts{}; ///< mounts that could propagate out of its namespace (shared:N)
    bool follows_host = false;              ///< what the host mounts later arrives: its "/" is a slave
    std::map<std::string, std::set<std::int32_t>> cgroups{}; ///< planned group -> threads that are in it
    std::optional<std::vector<DeviceRule>> device_rules{};   ///< in force; absent: everything is allowed
    int device_programs = 0;                                 ///< attached to its group
    std::optional<std::vector<DeviceDenial>> denials{};      ///< refused so far; absent: not recorded
    std::map<int, std::pair<std::uint64_t, std::uint64_t>> limits{}; ///< RLIMIT_… -> soft, hard
    std::map<int, std::string> fds{};                                ///< number -> what /proc/PID/fd says
    std::vector<std::string> environment{};
    std::uint32_t umask = 0;
    bool operator==(const ProcessFacts&) const = default;
};

/// QEMU installs its own filter while it starts: verify after the QMP greeting.
/// on). At the end of exec() QEMU may not have installed its own yet: verify after the QMP greeting.
Report verify(const LaunchPlan& plan, const Lowered& lowered, const ProcessFacts& facts);

} // namespace cloister
