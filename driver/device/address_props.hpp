/// What every -device shares: its bus and address, boot index, option ROM, virtio transport options.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/part/virtio_options.hpp"

#include <boost/json/object.hpp>

namespace cloister {

/// The QEMU id of a controller: its alias, or, before aliases are given, the one it will get.
/// "pci.0", "pcie.0", "usb", "usb1", "scsi0", "ide" (the chipset's own), "sata0", "virtio-serial0" …
std::string controller_id(const Domain& domain, ControllerType type, unsigned index);

/// True for a controller that the machine itself has (pc's IDE, q35's SATA, roots of PCI): no -device.
bool is_builtin(const Domain& domain, const Controller& controller);

/// The machine's family. Only these two carry chipset devices of their own on x86.
bool is_q35(const Domain& domain);
bool is_i440fx(const Domain& domain);

/// Adds bus, addr (or port, slot …), multifunction and acpi-index as the device's address says; nothing when
/// it has none. The controllers it names must be in the domain.
/// Errors: Code::internal for an address whose controller is missing.
Result<> add_address(boost::json::object& props, const DeviceInfo& info, const Domain& domain);

/// "0x2" or "0x2.0x1".
std::string pci_slot(const PciAddress& address);
/// "0000:01:00.0", as the host's sysfs spells it.
std::string host_pci_name(const PciAddress& address);

/// Adds romfile and rombar.
void add_rom(boost::json::object& props, const DeviceInfo& info);
/// Adds bootindex when it is not 0.
void add_boot_index(boost::json::object& props, std::uint32_t index);
/// Adds iommu_platform, ats, packed, page-per-vq.
void add_virtio_options(boost::json::object& props, const VirtioOptions& options);

/// "virtio-blk-pci" and its -transitional, -non-transitional forms, by the model attribute of the XML.
std::string virtio_pci_driver(std::string_view family, const std::optional<std::string>& model);

/// The place of a device in the firmware's boot order, 0 for none: its own <boot order>, else what
/// <os><boot dev> gives to the first device of each class.
std::uint32_t boot_index(const Domain& domain, const Disk& disk);
std::uint32_t boot_index(const Domain& domain, const Interface& interface);

} // namespace cloister
