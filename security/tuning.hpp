/// Shares and limits of a guest's control groups, as values, and the files that they are written to. Pure.
/// Source: facts/behaviour.md B.5, "Settings"; the kernel's cgroup-v1 and cgroup-v2 documents.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct HostLook;   // security/look.hpp
struct LaunchPlan; // security/plan.hpp

/// Of one block device.
struct IoLimit {
    std::string path{};
    std::optional<std::uint32_t> weight{};
    std::optional<std::uint64_t> read_bytes{}, write_bytes{};           ///< a second
    std::optional<std::uint64_t> read_operations{}, write_operations{}; ///< likewise
    bool operator==(const IoLimit&) const = default;
};
/// Absent: as the kernel has it.
struct GroupTuning {
    std::optional<std::uint64_t> cpu_shares{}; ///< v1: 1024 is normal; v2: the weight, 100 is normal
    std::optional<std::uint64_t> cpu_period{}; ///< microseconds
    std::optional<std::int64_t>
        cpu_quota{}; ///< microseconds of processor time in a period; negative: no limit
    std::optional<std::uint64_t> memory_max{}, memory_high{}, swap_max{}; ///< bytes
    std::optional<std::uint32_t> io_weight{};
    std::vector<IoLimit> io{};
    bool operator==(const GroupTuning&) const = default;
};

struct SetCgroupValue; // security/op.hpp
/// What to write, in order, into the groups that security/cgroup_rules makes. Errors: config_unsupported
/// where the controller is not there or not to be used, a value that the host's version of it does not take,
/// or a path that is no block device.
Result<std::vector<SetCgroupValue>> tuning_values(const LaunchPlan& plan, const HostLook& look);

} // namespace cloister
