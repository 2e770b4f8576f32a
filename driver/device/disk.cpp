#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/blockdev.hpp"
#include "driver/device/chardev.hpp"
#include "driver/device/device.hpp"
#include "driver/device/disk_rules.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;

bool is_cd(const Disk& disk) { return disk.device == DiskDevice::cdrom; }

void add_virtio_queues(object& props, const Disk& disk, bool vhost_user) {
    if (!disk.driver) return;
    const auto& driver = *disk.driver;
    const auto flag = [&](const char* key, const std::optional<Switch>& value) {
        if (value) props[key] = *value == Switch::on;
    };
    if (driver.iothread) props["iothread"] = fmt::format("iothread{}", *driver.iothread);
    if (!vhost_user) {
        flag("ioeventfd", driver.ioeventfd);
        flag("event_idx", driver.event_idx);
        if (disk.device == DiskDevice::lun) props["scsi"] = true;
    }
    if (driver.queues) props["num-queues"] = *driver.queues;
    if (driver.queue_size) props["queue-size"] = *driver.queue_size;
    add_virtio_options(props, driver.virtio);
}

/// `driver` and where the disk sits: what differs from bus to bus.
Result<object> place(const Disk& disk, const std::string& alias, const PlanContext& context) {
    const auto& domain = context.domain;
    const auto* drive = address_of<DriveAddress>(disk.info);
    const auto controller = drive ? drive->controller.value_or(0) : 0u;
    const auto unit = drive ? drive->unit.value_or(0) : 0u;
    object props;
    switch (disk.target.bus.value_or(DiskBus::ide)) {
    case DiskBus::virtio: {
        const bool vhost_user = disk.type == SourceType::vhostuser;
        props["driver"] = virtio_pci_driver(vhost_user ? "vhost-user-blk" : "virtio-blk", disk.model);
        add_virtio_queues(props, disk, vhost_user);
        TRY(add_address(props, disk.info, domain));
        return props;
    }
    case DiskBus::ide:
        props["driver"] = is_cd(disk) ? "ide-cd" : "ide-hd";
        props["bus"] = fmt::format("{}.{}", controller_id(domain, ControllerType::ide, controller),
                                   drive ? drive->bus.value_or(0) : 0u);
        props["unit"] = unit;
        return props;
    case DiskBus::sata:
        props["driver"] = is_cd(disk) ? "ide-cd" : "ide-hd";
        props["bus"] = fmt::format("{}.{}", controller_id(domain, ControllerType::sata, controller), unit);
        return props;
    case DiskBus::scsi: {
        const auto model = scsi_model(domain, controller);
        props["driver"] = disk.device == DiskDevice::lun ? "scsi-block" : is_cd(disk) ? "scsi-cd" : "scsi-hd";
        props["bus"] = controller_id(domain, ControllerType::scsi, controller) + ".0";
        if (model == "lsilogic") {
            props["scsi-id"] = unit;
        } else {
            props["channel"] = drive ? drive->bus.value_or(0) : 0u;
            props["scsi-id"] = drive ? drive->target.value_or(0) : 0u;
            props["lun"] = unit;
        }
        if (disk.device != DiskDevice::lun)
            props["device_id"] = disk.serial && !disk.serial->empty() ? *disk.serial : "drive-" + alias;
        return props;
    }
    case DiskBus::usb:
        props["driver"] = "usb-storage";
        TRY(add_address(props, disk.info, domain));
        return props;
    case DiskBus::fdc:
        props["driver"] = "floppy";
        props["unit"] = unit;
        return props;
    case DiskBus::xen:
    case DiskBus::uml:
    case DiskBus::sd:
    case DiskBus::none: break;
    }
    return fail(Code::config_unsupported, tr("unsupported disk bus '{0}' with device setup",
                                             names<DiskBus>.text(disk.target.bus.value_or(DiskBus::none))));
}

/// "enospace" and the like, as QEMU spells them.
const char* policy(DiskErrorPolicy value) {
    switch (value) {
    case DiskErrorPolicy::stop: return "stop";
    case DiskErrorPolicy::report: return "report";
    case DiskErrorPolicy::ignore: return "ignore";
    case DiskErrorPolicy::enospace: return "enospc";
    case DiskErrorPolicy::automatic: break;
    }
    return nullptr;
}

void add_error_policy(object& props, const DiskDriver& driver) {
    if (const auto* write = driver.error_policy ? policy(*driver.error_policy) : nullptr) {
        props["werror"] = write;
        if (!driver.rerror_policy && driver.error_policy != DiskErrorPolicy::enospace)
            props["rerror"] = write;
    }
    if (const auto* read = driver.rerror_policy ? policy(*driver.rerror_policy) : nullptr)
        props["rerror"] = read;
}

/// Whether the guest is told of a write cache: "" leaves it to QEMU.
const char* write_cache(const Disk& disk) {
    auto mode = disk.driver ? disk.driver->cache.value_or(DiskCache::automatic) : DiskCache::automatic;
    if (mode == DiskCache::automatic && disk.shareable) mode = DiskCache::none;
    switch (mode) {
    case DiskCache::none:
    case DiskCache::writeback:
    case DiskCache::unsafe: return "on";
    case DiskCache::writethrough:
    case DiskCache::directsync: return "off";
    case DiskCache::automatic: break;
    }
    return "";
}

/// Blanks are written with a backslash, as guests of libvirt have always seen them.
std::string escaped_serial(const std::string& serial) {
    std::string out;
    for (const char c : serial) {
        if (c == ' ') out += '\\';
        out += c;
    }
    return out;
}

Result<> add_details(object& props, const Disk& disk) {
    if (disk.blockio) {
        if (disk.blockio->logical) props["logical_block_size"] = *disk.blockio->logical;
        if (disk.blockio->physical) props["physical_block_size"] = *disk.blockio->physical;
        if (disk.blockio->discard_granularity)
            props["discard_granularity"] = *disk.blockio->discard_granularity;
    }
    if (disk.wwn) {
        const auto number = xml::c_number(disk.wwn->starts_with("0x") ? *disk.wwn : "0x" + *disk.wwn);
        if (!number) return fail(Code::internal, tr("malformed wwn: {0}", *disk.wwn));
        props["wwn"] = *number;
    }
    if (disk.target.rotation_rate) props["rotation_rate"] = *disk.target.rotation_rate;
    if (disk.vendor) props["vendor"] = *disk.vendor;
    if (disk.product) props["product"] = *disk.product;
    if (disk.target.bus == DiskBus::usb) props["removable"] = disk.target.removable == Switch::on;
    if (const std::string_view cache = write_cache(disk); !cache.empty()) props["write-cache"] = cache;
    if (disk.geometry) {
        props["cyls"] = disk.geometry->cylinders;
        props["heads"] = disk.geometry->heads;
        props["secs"] = disk.geometry->sectors;
        if (disk.geometry->translation) props["bios-chs-trans"] = *disk.geometry->translation;
    }
    if (disk.serial && !disk.serial->empty()) props["serial"] = escaped_serial(*disk.serial);
    if (disk.driver) add_error_policy(props, *disk.driver);
    return {};
}

/// QMP block_set_io_throttle: QEMU has no option for it beside -blockdev.
object throttle(const Disk& disk, const std::string& alias) {
    const auto& t = *disk.iotune;
    object out{{"id", throttle_id(disk, alias)}};
    const auto always = [&](const char* key, const IoTune::Limit& limit) { out[key] = limit.value_or(0); };
    const auto maybe = [&](const char* key, const IoTune::Limit& limit) {
        if (limit) out[key] = *limit;
    };
    always("bps", t.total_bytes);
    always("bps_rd", t.read_bytes);
    always("bps_wr", t.write_bytes);
    always("iops", t.total_iops);
    always("iops_rd", t.read_iops);
    always("iops_wr", t.write_iops);
    maybe("bps_max", t.total_bytes_max);
    maybe("bps_rd_max", t.read_bytes_max);
    maybe("bps_wr_max", t.write_bytes_max);
    maybe("iops_max", t.total_iops_max);
    maybe("iops_rd_max", t.read_iops_max);
    maybe("iops_wr_max", t.write_iops_max);
    maybe("iops_size", t.size_iops);
    if (t.group_name) out["group"] = *t.group_name;
    maybe("bps_max_length", t.total_bytes_max_length);
    maybe("bps_rd_max_length", t.read_bytes_max_length);
    maybe("bps_wr_max_length", t.write_bytes_max_length);
    maybe("iops_max_length", t.total_iops_max_length);
    maybe("iops_rd_max_length", t.read_iops_max_length);
    maybe("iops_wr_max_length", t.write_iops_max_length);
    return out;
}

Result<DevicePlan> plan_vhost_user(const Disk& disk, const std::string& alias, const std::string& why,
                                   const PlanContext& context) {
    if (!disk.source || !disk.source->path)
        return fail(Code::config_unsupported, tr("the vhost-user disk '{0}' has no socket", alias));
    DevicePlan out;
    const auto id = "chr-vu-" + alias;
    KeyValues chardev("socket");
    chardev.add("id", id).add("path", *disk.source->path);
    if (const auto& again = disk.source->reconnect; again && again->enabled == YesNo::yes && again->timeout)
        chardev.add("reconnect", std::to_string(*again->timeout));
    out.items.push_back({"chardev", chardev.text(), why});
    out.grants.push_back({.path = *disk.source->path,
                          .kind = Kind::socket,
                          .access = Access::read_write,
                          .sharing = Sharing::shared,
                          .overrides = overrides_of(disk.source->seclabels),
                          .why = why});
    auto props = TRY(place(disk, alias, context));
    props["chardev"] = id;
    props["id"] = alias;
    add_boot_index(props, boot_index(context.domain, disk));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

/// SD cards belong to the board: QEMU has no device for them, only this.
Result<DevicePlan> plan_sd(const Disk& disk, const std::string& why, const PlanContext& context) {
    DevicePlan out;
    KeyValues drive;
    const auto type = disk.type.value_or(SourceType::file);
    const auto* path = disk.source ? local_path(type, *disk.source) : nullptr;
    if (path) {
        drive.add("file", *path).add("format", disk.driver ? disk.driver->type.value_or("raw") : "raw");
        add_image_grant(out, type, *disk.source, disk.readonly ? Access::read : Access::read_write,
                        disk.readonly || disk.shareable ? Sharing::shared : Sharing::exclusive, context, why);
    }
    drive.add("if", "sd")
        .add("index", std::to_string(target_index(disk.target.dev.value_or("")).value_or(0)));
    if (disk.readonly) drive.add("readonly", "on");
    out.items.push_back({"drive", drive.text(), why});
    return out;
}

} // namespace

template <> Result<DevicePlan> plan(const Disk& disk, const PlanContext& context) {
    const auto alias = disk.info.alias ? disk.info.alias->name : disk_alias(disk, context.domain);
    const auto why = "disk " + disk.target.dev.value_or(alias);
    if (disk.transient)
        return fail(Code::config_unsupported,
                    tr("the changes to disk '{0}' cannot be thrown away: transient disks are not supported",
                       disk.target.dev.value_or(alias)));
    if (disk.target.bus == DiskBus::sd) return plan_sd(disk, why, context);
    if (disk.type == SourceType::vhostuser) return plan_vhost_user(disk, alias, why, context);

    DevicePlan out;
    auto node = TRY(add_chain(out, disk, context, why));
    if (!node.empty() && disk.driver && disk.driver->copy_on_read == Switch::on) {
        const auto filter = "libvirt-CoR-" + disk.target.dev.value_or(alias);
        out.items.push_back(
            {"blockdev",
             object{{"driver", "copy-on-read"}, {"node-name", filter}, {"file", node}, {"discard", "unmap"}},
             why});
        node = filter;
    }
    auto props = TRY(place(disk, alias, context));
    if (disk.shareable) props["share-rw"] = true;
    if (!node.empty()) props["drive"] = node;
    props["id"] = alias;
    if (disk.target.bus != DiskBus::fdc) {
        add_boot_index(props, boot_index(context.domain, disk)); // a floppy's is its controller's
        TRY(add_details(props, disk));
    }
    out.items.push_back({"device", std::move(props), why});
    if (disk.iotune && !node.empty())
        out.monitor_commands.emplace_back("block_set_io_throttle", throttle(disk, alias));
    return out;
}

} // namespace cloister
