/// The parts of a command line that belong to no device. Each gives items in the order they are written.
/// Pure. Source: facts/behaviour.md D.5.
#pragma once

#include "driver/device/device.hpp"

namespace cloister {

/// Items 1 to 6: -name, -compat, -S, the master key, flash chips, -machine, -accel, flash globals.
Result<DevicePlan> head_items(const PlanContext& context);
/// Items 9 and 11: -m, its backend, -overcommit, -smp, I/O threads, NUMA.
Result<DevicePlan> memory_items(const PlanContext& context);
/// Item 12: -uuid, SMBIOS, fw_cfg, generation id.
Result<DevicePlan> identity_items(const PlanContext& context);
/// Items 13 to 17: display, monitor, clock, power, boot.
Result<DevicePlan> machine_items(const PlanContext& context);

/// Memory of the guest at start, KiB, as QEMU gets it: whole MiB.
std::uint64_t initial_memory_kib(const Domain& domain);

/// Appends everything of `more`.
void append(DevicePlan& to, DevicePlan more);

} // namespace cloister
