/// The device list of a control group in the kernel: the v1 controller's files, or a BPF program and its map.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"
#include "security/report.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// Whether the kernel attaches device programs to groups of the v2 hierarchy at `group`.
bool takes_device_programs(const std::string& group);

struct DeviceList {
    std::vector<DeviceRule> rules{};
    int programs = 0; ///< bpf: how many are attached to the group
    bool operator==(const DeviceList&) const = default;
};
/// What is in force; absent: no list (everything is allowed). Errors: system.
Result<std::optional<DeviceList>> read_device_list(DeviceBackend backend, const std::string& group);

/// What was refused to the group so far, the oldest first. Absent where nobody keeps account: v1, no list, or
/// a group that a daemon made which did not. Errors: system.
Result<std::optional<std::vector<DeviceDenial>>> read_denials(DeviceBackend backend,
                                                              const std::string& group);

} // namespace cloister
