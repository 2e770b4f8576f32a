/// The device list of a control group in the kernel: the v1 controller's files, or a BPF program and its map.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct DeviceList {
    std::vector<DeviceRule> rules{};
    int programs = 0; ///< bpf: how many are attached to the group
    bool operator==(const DeviceList&) const = default;
};
/// What is in force; absent: no list (everything is allowed). Errors: system.
Result<std::optional<DeviceList>> read_device_list(DeviceBackend backend, const std::string& group);

} // namespace cloister
