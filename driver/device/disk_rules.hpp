/// What a disk's parts say about each other: defaults, and what libvirt refuses.
#pragma once

#include "conf/domain/domain.hpp"

namespace cloister {

/// The number in a target's letters: vda 0, sdz 25, hdaa 26; nullopt for a name without any.
std::optional<unsigned> target_index(std::string_view dev);

/// The bus that a target's prefix means: hd ide, sd scsi, vd virtio, fd fdc, xvd xen, ubd uml.
std::optional<DiskBus> bus_of_target(std::string_view dev);

/// "virtio-disk0", "sata0-0-1", "scsi0-0-0-0", "fdc0-0-1", "usb-disk2": by bus, address and target.
std::string disk_alias(const Disk& disk, const Domain& domain);

/// The model of the SCSI controller that a disk or host device hangs on; "" when there is none.
std::string scsi_model(const Domain& domain, unsigned controller);

/// True when a source of this type names nothing: an empty drive.
bool local_source_missing(const Source& source, SourceType type);

/// The path or name that a person would call the disk's image by; "" for none.
std::string source_text(const Disk& disk);

/// True when the domain has an I/O thread with this number.
bool has_iothread(const Domain& domain, std::uint32_t id);

/// Where QEMU keeps the disk's throttling: a QOM path or the device's id.
std::string throttle_id(const Disk& disk, const std::string& alias);

} // namespace cloister
