/// Devices of the host that a guest may be given: USB, IOMMU groups, SCSI units. Blocking; reads sysfs only.
#pragma once

#include "driver/facts/host_facts.hpp"

namespace cloister {

/// Fills in usb_devices, iommu_groups and scsi_generic; `sys`: where sysfs is mounted.
void add_host_devices(HostFacts& facts, const std::string& sys = "/sys");

} // namespace cloister
