/// What the kernel's device mapper says about a block device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cloister {

/// The disks that are the paths of a multipath device, as "/dev/sda"; none for every other device. `sys`:
/// "/sys". Source: the kernel's Documentation/ABI/testing/sysfs-block-dm; multipath-tools name their devices
/// "mpath-…" in dm/uuid.
std::vector<std::string> multipath_disks(const std::string& sys, std::uint32_t major, std::uint32_t minor);
/// "/dev/sda" from the text of a device's uevent file; empty when it names none.
std::string device_name(const std::string& uevent);

} // namespace cloister
