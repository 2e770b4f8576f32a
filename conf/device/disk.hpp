/// <disk>: a disk, CD-ROM, floppy or SCSI unit of the guest.
/// Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/source.hpp"
#include "conf/part/virtio_options.hpp"

namespace cloister {

enum class DiskDevice { disk, cdrom, floppy, lun };
template <> inline constexpr auto names<DiskDevice> =
    make_names<DiskDevice>({"disk", "cdrom", "floppy", "lun"});
static_assert(names<DiskDevice>.covers(DiskDevice::lun));

enum class DiskBus { ide, fdc, scsi, virtio, xen, usb, uml, sata, sd, none };
template <> inline constexpr auto names<DiskBus> =
    make_names<DiskBus>({"ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "none"});
static_assert(names<DiskBus>.covers(DiskBus::none));

/// `automatic` is the text "default": as if nothing was said.
enum class DiskCache { automatic, none, writethrough, writeback, directsync, unsafe };
template <> inline constexpr auto names<DiskCache> =
    make_names<DiskCache>({"default", "none", "writethrough", "writeback", "directsync", "unsafe"});
static_assert(names<DiskCache>.covers(DiskCache::unsafe));

enum class DiskErrorPolicy { automatic, stop, report, ignore, enospace };
template <> inline constexpr auto names<DiskErrorPolicy> =
    make_names<DiskErrorPolicy>({"default", "stop", "report", "ignore", "enospace"});
static_assert(names<DiskErrorPolicy>.covers(DiskErrorPolicy::enospace));

enum class DiskIo { automatic, native, threads, io_uring };
template <> inline constexpr auto names<DiskIo> =
    make_names<DiskIo>({"default", "native", "threads", "io_uring"});
static_assert(names<DiskIo>.covers(DiskIo::io_uring));

enum class DiskDiscard { automatic, unmap, ignore };
template <> inline constexpr auto names<DiskDiscard> =
    make_names<DiskDiscard>({"default", "unmap", "ignore"});
static_assert(names<DiskDiscard>.covers(DiskDiscard::ignore));

enum class DetectZeroes { automatic, off, on, unmap };
template <> inline constexpr auto names<DetectZeroes> =
    make_names<DetectZeroes>({"default", "off", "on", "unmap"});
static_assert(names<DetectZeroes>.covers(DetectZeroes::unmap));

enum class TrayState { closed, open };
template <> inline constexpr auto names<TrayState> = make_names<TrayState>({"closed", "open"});
static_assert(names<TrayState>.covers(TrayState::open));

struct DiskDriver {
    std::optional<std::string> name{}; ///< qemu
    std::optional<std::string> type{}; ///< format of the top image: raw, qcow2 …
    std::optional<DiskCache> cache{};
    std::optional<DiskErrorPolicy> error_policy{}, rerror_policy{};
    std::optional<DiskIo> io{};
    std::optional<Switch> ioeventfd{}, event_idx{}, copy_on_read{};
    std::optional<DiskDiscard> discard{};
    std::optional<std::uint32_t> iothread{};
    std::optional<DetectZeroes> detect_zeroes{};
    std::optional<std::uint32_t> queues{}, queue_size{};
    VirtioOptions virtio{};
    std::optional<MetadataCache> metadata_cache{};
    xml::Rest rest{};
    bool operator==(const DiskDriver&) const = default;
};
template <> inline constexpr auto fields<DiskDriver> = xml::table(
    xml::attr("name", &DiskDriver::name), xml::attr("type", &DiskDriver::type),
    xml::attr("cache", &DiskDriver::cache), xml::attr("error_policy", &DiskDriver::error_policy),
    xml::attr("rerror_policy", &DiskDriver::rerror_policy), xml::attr("io", &DiskDriver::io),
    xml::attr("ioeventfd", &DiskDriver::ioeventfd), xml::attr("event_idx", &DiskDriver::event_idx),
    xml::attr("copy_on_read", &DiskDriver::copy_on_read), xml::attr("discard", &DiskDriver::discard),
    xml::attr("iothread", &DiskDriver::iothread), xml::attr("detect_zeroes", &DiskDriver::detect_zeroes),
    xml::attr("queues", &DiskDriver::queues), xml::attr("queue_size", &DiskDriver::queue_size),
    xml::embed(&DiskDriver::virtio), xml::child("metadata_cache", &DiskDriver::metadata_cache));

struct DiskTarget {
    std::optional<std::string> dev{}; ///< "vda": names the disk; its prefix and letters decide bus and order
    std::optional<DiskBus> bus{};
    std::optional<TrayState> tray{};
    std::optional<Switch> removable{}; ///< of bus usb
    std::optional<std::uint32_t> rotation_rate{};
    xml::Rest rest{};
    bool operator==(const DiskTarget&) const = default;
};
template <> inline constexpr auto fields<DiskTarget> =
    xml::table(xml::attr("dev", &DiskTarget::dev), xml::attr("bus", &DiskTarget::bus),
               xml::attr("tray", &DiskTarget::tray), xml::attr("removable", &DiskTarget::removable),
               xml::attr("rotation_rate", &DiskTarget::rotation_rate));

struct DiskGeometry {
    std::uint32_t cylinders = 0, heads = 0, sectors = 0;
    std::optional<std::string> translation{}; ///< none, auto, lba
    xml::Rest rest{};
    bool operator==(const DiskGeometry&) const = default;
};
template <> inline constexpr auto fields<DiskGeometry> =
    xml::table(xml::attr("cyls", &DiskGeometry::cylinders), xml::attr("heads", &DiskGeometry::heads),
               xml::attr("secs", &DiskGeometry::sectors), xml::attr("trans", &DiskGeometry::translation));

struct BlockIo { ///< bytes
    std::optional<std::uint32_t> logical{}, physical{}, discard_granularity{};
    xml::Rest rest{};
    bool operator==(const BlockIo&) const = default;
};
template <> inline constexpr auto fields<BlockIo> = xml::table(
    xml::attr("logical_block_size", &BlockIo::logical), xml::attr("physical_block_size", &BlockIo::physical),
    xml::attr("discard_granularity", &BlockIo::discard_granularity));

/// Limits of one disk, or of a group of disks that share `group_name`. Bytes, operations, seconds.
struct IoTune {
    using Limit = std::optional<std::uint64_t>;
    Limit total_bytes{}, read_bytes{}, write_bytes{};
    Limit total_iops{}, read_iops{}, write_iops{};
    Limit total_bytes_max{}, read_bytes_max{}, write_bytes_max{};
    Limit total_iops_max{}, read_iops_max{}, write_iops_max{};
    Limit size_iops{};
    std::optional<std::string> group_name{};
    Limit total_bytes_max_length{}, read_bytes_max_length{}, write_bytes_max_length{};
    Limit total_iops_max_length{}, read_iops_max_length{}, write_iops_max_length{};
    xml::Rest rest{};
    bool operator==(const IoTune&) const = default;
};
template <> inline constexpr auto fields<IoTune> = xml::table(
    xml::leaf("total_bytes_sec", &IoTune::total_bytes), xml::leaf("read_bytes_sec", &IoTune::read_bytes),
    xml::leaf("write_bytes_sec", &IoTune::write_bytes), xml::leaf("total_iops_sec", &IoTune::total_iops),
    xml::leaf("read_iops_sec", &IoTune::read_iops), xml::leaf("write_iops_sec", &IoTune::write_iops),
    xml::leaf("total_bytes_sec_max", &IoTune::total_bytes_max),
    xml::leaf("read_bytes_sec_max", &IoTune::read_bytes_max),
    xml::leaf("write_bytes_sec_max", &IoTune::write_bytes_max),
    xml::leaf("total_iops_sec_max", &IoTune::total_iops_max),
    xml::leaf("read_iops_sec_max", &IoTune::read_iops_max),
    xml::leaf("write_iops_sec_max", &IoTune::write_iops_max), xml::leaf("size_iops_sec", &IoTune::size_iops),
    xml::leaf("group_name", &IoTune::group_name),
    xml::leaf("total_bytes_sec_max_length", &IoTune::total_bytes_max_length),
    xml::leaf("read_bytes_sec_max_length", &IoTune::read_bytes_max_length),
    xml::leaf("write_bytes_sec_max_length", &IoTune::write_bytes_max_length),
    xml::leaf("total_iops_sec_max_length", &IoTune::total_iops_max_length),
    xml::leaf("read_iops_sec_max_length", &IoTune::read_iops_max_length),
    xml::leaf("write_iops_sec_max_length", &IoTune::write_iops_max_length));

/// Changes are thrown away when the guest stops.
struct TransientDisk {
    std::optional<YesNo> share_backing{};
    xml::Rest rest{};
    bool operator==(const TransientDisk&) const = default;
};
template <> inline constexpr auto fields<TransientDisk> =
    xml::table(xml::attr("shareBacking", &TransientDisk::share_backing));

struct Disk {
    std::optional<SourceType> type{};      ///< file when absent
    std::optional<DiskDevice> device{};    ///< disk when absent
    std::optional<std::string> model{};    ///< of bus virtio: virtio, virtio-transitional …
    std::optional<YesNo> rawio{};          ///< of device lun: CAP_SYS_RAWIO
    std::optional<std::string> sgio{};     ///< filtered, unfiltered
    std::optional<std::string> snapshot{}; ///< no, internal, external, manual
    std::optional<DiskDriver> driver{};
    std::optional<SourceAuth> auth{}; ///< the older place; inside <source> otherwise
    std::optional<Source> source{};
    std::optional<BackingStore> backing_store{};
    std::optional<DiskGeometry> geometry{};
    std::optional<BlockIo> blockio{};
    std::optional<Mirror> mirror{};
    DiskTarget target{};
    std::optional<IoTune> iotune{};
    bool readonly = false, shareable = false;
    std::optional<TransientDisk> transient{};
    std::optional<std::string> serial{}, wwn{}, vendor{}, product{};
    std::optional<SourceEncryption> encryption{}; ///< the older place; inside <source> otherwise
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Disk&) const = default;
};
template <> inline constexpr auto fields<Disk> = xml::table(
    xml::attr("type", &Disk::type), xml::attr("device", &Disk::device), xml::attr("model", &Disk::model),
    xml::attr("rawio", &Disk::rawio), xml::attr("sgio", &Disk::sgio), xml::attr("snapshot", &Disk::snapshot),
    xml::child("driver", &Disk::driver), xml::child("auth", &Disk::auth), xml::child("source", &Disk::source),
    xml::child("backingStore", &Disk::backing_store), xml::child("geometry", &Disk::geometry),
    xml::child("blockio", &Disk::blockio), xml::live(xml::child("mirror", &Disk::mirror)),
    xml::child("target", &Disk::target), xml::child("iotune", &Disk::iotune),
    xml::flag("readonly", &Disk::readonly), xml::flag("shareable", &Disk::shareable),
    xml::child("transient", &Disk::transient), xml::leaf("serial", &Disk::serial),
    xml::leaf("wwn", &Disk::wwn), xml::leaf("vendor", &Disk::vendor), xml::leaf("product", &Disk::product),
    xml::child("encryption", &Disk::encryption), xml::embed(&Disk::info));
template <> inline constexpr const char* element<Disk> = "disk";

} // namespace cloister
