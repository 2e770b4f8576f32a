/// Where devices sit: PCI, drive, USB, virtio-serial and CCID addresses, and the controllers they need. Pure.
/// Source: facts/behaviour.md D.4.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "driver/caps/qemu_caps.hpp"

namespace cloister {

/// Controllers that a device's place implies (IDE, SATA, SCSI, floppy, virtio-serial, CCID, USB) and the
/// addresses on them. `usb`: ports too; without it USB is left alone unless every device has a port already.
Result<> assign_bus_addresses(Domain& domain, const QemuCaps& caps, bool usb = true);

/// PCI addresses of everything that needs one, with the root ports and bridges they need.
/// Errors: xml for a clash or an address that is not there; internal when a bus is full.
Result<> assign_pci_addresses(Domain& domain, const QemuCaps& caps);

/// A PCI address for one device that is added to a running guest: no controller is added.
/// Errors: internal "No more available PCI slots".
Result<> assign_pci_address(Device& device, const Domain& domain, const QemuCaps& caps);

} // namespace cloister
