/// What a PCI function says of itself in its configuration space. Pure.
/// Source: PCI Express Base Specification, "Access Control Services Extended Capability".
#pragma once

#include <string_view>

namespace cloister {

/// Whether these bytes (of /sys/bus/pci/devices/NAME/config) are of a switch's downstream port that does not
/// keep the devices below it apart: without access control services, or with those that matter not enabled.
/// Such devices reach each other's memory without passing the IOMMU.
bool is_switch_port_without_acs(std::string_view config);

} // namespace cloister
