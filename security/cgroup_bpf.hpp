/// The v2 device list as data: a program that looks a device up in a hash map, the map's entries, and the map
/// in which it writes down what it refused. The type of the device is part of the key (libvirt's is not, so
/// there b 1:3 and c 1:3 share an entry). Pure.
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

/// What was refused to the group: the device, and those of the asked-for rights that it has not.
struct BpfDenialKey {
    std::uint32_t type = 0, major = 0, minor = 0, access = 0;
    bool operator==(const BpfDenialKey&) const = default;
};
struct BpfDenial {
    std::uint64_t first_ns = 0, last_ns = 0; ///< since boot, suspended time included
    std::uint64_t times = 0;
    bool operator==(const BpfDenial&) const = default;
};

/// By these names a later daemon finds the program of a group and its maps again (15 bytes at most).
inline constexpr const char* bpf_program_name = "cloister_dev";
inline constexpr const char* bpf_device_map_name = "cloister_dev";
inline constexpr const char* bpf_denial_map_name = "cloister_denied";

/// The least recently refused go first: a guest that tries every number cannot make the host pay for it.
inline constexpr std::uint32_t bpf_denial_entries = 1024;
/// More than any guest has; the map is not preallocated.
inline constexpr std::uint32_t bpf_device_entries = 4096;
/// The kernel wants to know; no helper that we call asks for GPL.
inline constexpr const char* bpf_licence = "LGPL-2.1-or-later";

BpfDeviceEntry bpf_entry(const DeviceRule& rule);
/// Absent for an entry that we would never write.
std::optional<DeviceRule> device_rule(const BpfDeviceEntry& entry);
/// As a rule whose rights are the refused ones; absent for what the program never writes.
std::optional<DeviceRule> device_rule(const BpfDenialKey& key);
/// Allows an access when the exact, major:*, *:minor and *:* entries together have all its bits; otherwise
/// counts the refusal in `denied_fd`. Calls no helper that asks for GPL.
/// Source: linux/bpf.h, struct bpf_cgroup_dev_ctx.
std::vector<bpf_insn> device_program(int map_fd, int denied_fd);

} // namespace cloister
