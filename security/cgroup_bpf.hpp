/// The v2 device list as data: a program that looks a device up in a hash map, and the map's entries. The
/// type of the device is part of the key (libvirt's is not, so there b 1:3 and c 1:3 share an entry). Pure.
#pragma once

#include "security/op.hpp"

#include <cstdint>
#include <linux/bpf.h>
#include <optional>
#include <vector>

namespace cloister {

struct BpfDeviceKey {
    std::uint32_t type = 0, major = 0, minor = 0; ///< BPF_DEVCG_DEV_…; all bits set in a number: any
    bool operator==(const BpfDeviceKey&) const = default;
};
struct BpfDeviceEntry {
    BpfDeviceKey key{};
    std::uint32_t access = 0; ///< BPF_DEVCG_ACC_…
    bool operator==(const BpfDeviceEntry&) const = default;
};

/// More than any guest has; the map is not preallocated.
inline constexpr std::uint32_t bpf_device_entries = 4096;
/// The kernel wants to know; no helper that we call asks for GPL.
inline constexpr const char* bpf_licence = "LGPL-2.1-or-later";

BpfDeviceEntry bpf_entry(const DeviceRule& rule);
/// Absent for an entry that we would never write.
std::optional<DeviceRule> device_rule(const BpfDeviceEntry& entry);
/// Allows an access when the exact, major:*, *:minor and *:* entries together have all its bits.
/// Source: linux/bpf.h, struct bpf_cgroup_dev_ctx.
std::vector<bpf_insn> device_program(int map_fd);

} // namespace cloister
