#include "driver/device/disk_rules.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/part/scaled.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/device.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cloister {

namespace {

constexpr auto prefixes = std::to_array<std::pair<std::string_view, DiskBus>>({
    {"xvd", DiskBus::xen},
    {"ubd", DiskBus::uml},
    {"hd", DiskBus::ide},
    {"sd", DiskBus::scsi},
    {"vd", DiskBus::virtio},
    {"fd", DiskBus::fdc},
});

constexpr auto formats = std::to_array<std::string_view>(
    {"raw",  "dir", "bochs", "cloop", "dmg",  "iso",       "vpc", "vdi",  "qcow", "qcow2", "qed",  "vmdk",
     "luks", "fat", "vhd",   "ploop", "vhdx", "parallels", "aio", "auto", "cow",  "none",  "qcow2"});

std::string_view default_port(const std::optional<std::string>& protocol) {
    static constexpr auto ports =
        std::to_array<std::pair<std::string_view, std::string_view>>({{"nbd", "10809"},
                                                                      {"rbd", "6789"},
                                                                      {"sheepdog", "7000"},
                                                                      {"gluster", "24007"},
                                                                      {"iscsi", "3260"},
                                                                      {"http", "80"},
                                                                      {"https", "443"},
                                                                      {"ftp", "21"},
                                                                      {"ftps", "990"},
                                                                      {"tftp", "69"},
                                                                      {"ssh", "22"},
                                                                      {"vxhs", "9999"},
                                                                      {"nfs", "2049"}});
    for (const auto& [name, port] : ports)
        if (protocol == name) return port;
    return {};
}

void complete_source(Source& source) {
    // labelskip alone belongs to a run; a definition that only has that says nothing
    std::erase_if(source.seclabels, [](const DeviceSecLabel& s) {
        return !s.relabel && !s.label && !s.labelskip && s.rest.empty();
    });
    const auto port = default_port(source.protocol);
    for (auto& host : source.hosts)
        if (!host.port && !port.empty() && (!host.transport || *host.transport == "tcp"))
            host.port = std::string(port);
    if (source.encryption && !source.encryption->engine) source.encryption->engine = EncryptionEngine::qemu;
}

void complete_cache(std::optional<MetadataCache>& cache) {
    if (!cache) return;
    auto& size = cache->max_size;
    if (const auto bytes = scaled_bytes(std::to_string(size.value), size.unit.value_or("bytes"), "bytes")) {
        size.value = *bytes;
        size.unit = "bytes";
    }
}

/// "default" is written by nobody: it is the same as nothing.
template <class E> void drop_default(std::optional<E>& value) {
    if (value && static_cast<int>(*value) == 0) value.reset();
}

void complete_driver(DiskDriver& driver) {
    drop_default(driver.cache);
    drop_default(driver.error_policy);
    drop_default(driver.rerror_policy);
    drop_default(driver.io);
    drop_default(driver.discard);
    drop_default(driver.detect_zeroes);
    if (driver.iothread == 0u) driver.iothread.reset();
    if (driver.queues == 0u) driver.queues.reset();
    if (driver.queue_size == 0u) driver.queue_size.reset();
    complete_cache(driver.metadata_cache);
}

constexpr auto limits = std::to_array<IoTune::Limit IoTune::*>(
    {&IoTune::total_bytes, &IoTune::read_bytes, &IoTune::write_bytes, &IoTune::total_iops, &IoTune::read_iops,
     &IoTune::write_iops, &IoTune::total_bytes_max, &IoTune::read_bytes_max, &IoTune::write_bytes_max,
     &IoTune::total_iops_max, &IoTune::read_iops_max, &IoTune::write_iops_max, &IoTune::size_iops,
     &IoTune::total_bytes_max_length, &IoTune::read_bytes_max_length, &IoTune::write_bytes_max_length,
     &IoTune::total_iops_max_length, &IoTune::read_iops_max_length, &IoTune::write_iops_max_length});

void complete_iotune(std::optional<IoTune>& tune) {
    if (!tune) return;
    bool any = tune->group_name.has_value() || !tune->rest.empty();
    for (const auto limit : limits) {
        if ((*tune).*limit == 0u) ((*tune).*limit).reset();
        any = any || ((*tune).*limit).has_value();
    }
    if (!any) tune.reset();
}

Error unsupported(std::string message) {
    return Error{.code = Code::config_unsupported, .message = std::move(message)};
}
Error malformed(std::string message) {
    return Error{.code = Code::xml, .message = std::move(message), .domain = ErrorDomain::domain};
}

Result<> check_iotune(const IoTune& t) {
    const auto clash = [](const auto& total, const auto& read, const auto& write) {
        return total && (read || write);
    };
    if (clash(t.total_bytes, t.read_bytes, t.write_bytes))
        return std::unexpected(
            malformed(tr("total and read/write bytes_sec cannot be set at the same time")));
    if (clash(t.total_iops, t.read_iops, t.write_iops))
        return std::unexpected(malformed(tr("total and read/write iops_sec cannot be set at the same time")));
    if (clash(t.total_bytes_max, t.read_bytes_max, t.write_bytes_max))
        return std::unexpected(
            malformed(tr("total and read/write bytes_sec_max cannot be set at the same time")));
    if (clash(t.total_iops_max, t.read_iops_max, t.write_iops_max))
        return std::unexpected(
            malformed(tr("total and read/write iops_sec_max cannot be set at the same time")));
    return {};
}

Result<> check_auth(const SourceAuth& auth, const std::optional<std::string>& protocol) {
    const std::string_view expected = protocol == "rbd"     ? "ceph"
                                      : protocol == "iscsi" ? "iscsi"
                                                            : std::string_view{};
    if (!expected.empty() && auth.secret.type != expected)
        return std::unexpected(unsupported(tr("invalid secret type '{0}'", auth.secret.type)));
    if (!auth.secret.uuid && !auth.secret.usage)
        return std::unexpected(malformed(tr("missing auth secret uuid or usage attribute")));
    return {};
}

Result<> check_source(const Disk& disk, std::string_view dev) {
    const auto device = disk.device.value_or(DiskDevice::disk);
    const auto type = disk.type.value_or(SourceType::file);
    const bool removable = device == DiskDevice::cdrom || device == DiskDevice::floppy;
    if (!disk.source || (local_source_missing(*disk.source, type))) {
        if (!removable) return fail(Code::no_source, std::string(dev));
        return {};
    }
    const auto& source = *disk.source;
    if (disk.auth && source.auth)
        return std::unexpected(unsupported(tr("an <auth> definition already found for disk source")));
    if (disk.encryption && source.encryption)
        return std::unexpected(unsupported(tr("an <encryption> definition already found for disk source")));
    for (const auto* auth : {disk.auth ? &*disk.auth : nullptr, source.auth ? &*source.auth : nullptr})
        if (auth) TRY(check_auth(*auth, source.protocol));
    for (const auto* encryption :
         {disk.encryption ? &*disk.encryption : nullptr, source.encryption ? &*source.encryption : nullptr})
        if (encryption && (encryption->cipher || encryption->ivgen))
            return std::unexpected(unsupported(
                encryption->cipher ? tr("supplying <cipher> for domain disk definition is unnecessary")
                                   : tr("supplying <ivgen> for domain disk definition is unnecessary")));
    if (device == DiskDevice::lun) {
        const bool block = type == SourceType::block || type == SourceType::volume ||
                           (type == SourceType::network && source.protocol == "iscsi");
        if (!block)
            return std::unexpected(
                unsupported(tr("disk device='lun' is only valid for block type disk source")));
    }
    if (type == SourceType::network && !source.protocol)
        return std::unexpected(malformed(tr("missing network source protocol type")));
    return {};
}

Result<> check_address(const Disk& disk, DiskBus bus, std::string_view dev) {
    if (!disk.info.address || std::holds_alternative<std::monostate>(disk.info.address->where)) return {};
    const auto& where = disk.info.address->where;
    const auto refuse = [&]() -> Result<> {
        static constexpr auto kinds =
            std::to_array<std::string_view>({"none", "pci", "drive", "virtio-serial", "ccid", "usb", "isa",
                                             "dimm", "ccw", "spapr-vio", "virtio-mmio", "unassigned"});
        const auto kind = where.index() < kinds.size() ? kinds[where.index()] : "unknown";
        return std::unexpected(
            unsupported(tr("Invalid address type '{0}' for the disk '{1}' with the bus type "
                           "'{2}'",
                           kind, dev, names<DiskBus>.text(bus))));
    };
    switch (bus) {
    case DiskBus::ide:
    case DiskBus::fdc:
    case DiskBus::scsi:
    case DiskBus::sata: return std::holds_alternative<DriveAddress>(where) ? Result<>{} : refuse();
    case DiskBus::usb:
        return std::holds_alternative<UsbAddress>(where)
                   ? Result<>{}
                   : fail(Code::internal, tr("unexpected address type for usb disk"));
    case DiskBus::virtio:
        if (std::holds_alternative<PciAddress>(where) || std::holds_alternative<Unassigned>(where)) return {};
        return refuse();
    case DiskBus::xen:
    case DiskBus::uml:
    case DiskBus::sd:
    case DiskBus::none: break;
    }
    return {};
}

std::string spelled(const DriveAddress& a) {
    return tr("controller='{0}' bus='{1}' target='{2}' unit='{3}'", a.controller.value_or(0),
              a.bus.value_or(0), a.target.value_or(0), a.unit.value_or(0));
}

/// Two disks, or a disk and a host's SCSI unit, in one place.
Result<> check_place(const Disk& disk, DiskBus bus, std::string_view dev, const Domain& domain) {
    const auto* mine = address_of<DriveAddress>(disk.info);
    for (const auto* other : devices_of<Disk>(domain)) {
        if (other == &disk) break; // each pair is reported once, for the later disk
        if (other->target.dev == disk.target.dev && other->target.dev)
            return std::unexpected(malformed(tr("target '{0}' duplicated for disk sources '{1}' and '{2}'",
                                                dev, source_text(*other), source_text(disk))));
        const auto* theirs = address_of<DriveAddress>(other->info);
        if (mine && theirs && other->target.bus == bus && *mine == *theirs)
            return std::unexpected(unsupported(tr("Found duplicate drive address for disk with target name "
                                                  "'{0}' {1}",
                                                  other->target.dev.value_or(""), spelled(*mine))));
    }
    if (bus != DiskBus::scsi) return {};
    DriveAddress place = mine ? *mine : DriveAddress{};
    if (!mine) {
        const auto index = target_index(dev).value_or(0);
        place = {.controller = index / 7, .bus = 0, .target = 0, .unit = index % 7};
    }
    for (const auto* hostdev : devices_of<Hostdev>(domain)) {
        const auto* theirs = address_of<DriveAddress>(hostdev->info);
        if (theirs && std::holds_alternative<ScsiHostdev>(hostdev->host) && *theirs == place)
            return std::unexpected(unsupported(
                tr("using disk target name '{0}' conflicts with SCSI host device address controller='{1}' "
                   "bus='{2}' target='{3}' unit='{4}", // clients know it without the last quote
                   dev, place.controller.value_or(0), place.bus.value_or(0), place.target.value_or(0),
                   place.unit.value_or(0))));
    }
    return {};
}

Result<> check_driver(const Disk& disk, DiskBus bus, std::string_view dev, const Domain& domain) {
    if (!disk.driver) return {};
    const auto& driver = *disk.driver;
    if (driver.name && *driver.name != "qemu")
        return std::unexpected(
            unsupported(tr("unsupported driver name '{0}' for disk '{1}'", *driver.name, dev)));
    const auto format = driver.type.value_or("raw");
    if (std::ranges::find(formats, format) == formats.end())
        return std::unexpected(unsupported(tr("unknown driver format value '{0}'", format)));
    if (format == "cow" || format == "aio" || format == "ploop")
        return std::unexpected(unsupported(tr("'{0}' storage format is not supported", format)));
    if (disk.shareable && format != "raw" && format != "luks" && disk.source)
        return std::unexpected(
            unsupported(tr("shared access for disk '{0}' requires use of supported storage format", dev)));
    if (bus != DiskBus::virtio) {
        if (driver.event_idx || driver.ioeventfd)
            return std::unexpected(unsupported(tr("disk event_idx mode supported only for virtio bus")));
        if (driver.iothread)
            return std::unexpected(
                unsupported(tr("IOThreads only available for virtio pci and virtio ccw disk")));
        if (driver.queues)
            return std::unexpected(unsupported(tr("queues attribute in disk driver element is only supported "
                                                  "by virtio-blk")));
    }
    if (driver.iothread && !has_iothread(domain, *driver.iothread))
        return std::unexpected(
            unsupported(tr("Disk iothread '{0}' not defined in iothreadid", *driver.iothread)));
    return {};
}

Result<> check_text(const Disk& disk) {
    static constexpr std::string_view safe =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_\\ .+";
    if (disk.serial && disk.serial->find_first_not_of(safe) != std::string::npos)
        return std::unexpected(
            unsupported(tr("driver serial '{0}' contains unsafe characters", *disk.serial)));
    if (disk.wwn) {
        const auto digits = std::string_view(*disk.wwn).substr(disk.wwn->starts_with("0x") ? 2 : 0);
        if (digits.size() != 16 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
            return std::unexpected(malformed(tr("malformed wwn: {0}", *disk.wwn)));
    }
    return {};
}

} // namespace

bool local_source_missing(const Source& source, SourceType type) {
    switch (type) {
    case SourceType::file: return !source.file || source.file->empty();
    case SourceType::block: return !source.dev || source.dev->empty();
    case SourceType::dir: return !source.dir || source.dir->empty();
    case SourceType::volume: return !source.pool || !source.volume;
    case SourceType::network:
    case SourceType::nvme:
    case SourceType::vhostuser: break;
    }
    return false;
}

std::string source_text(const Disk& disk) {
    if (!disk.source) return {};
    for (const auto* text : {&disk.source->file, &disk.source->dev, &disk.source->dir, &disk.source->name})
        if (*text) return **text;
    return {};
}

bool has_iothread(const Domain& domain, std::uint32_t id) {
    if (domain.iothreadids)
        for (const auto& thread : domain.iothreadids->threads)
            if (thread.id == id) return true;
    return id <= domain.iothreads.value_or(0);
}

std::optional<unsigned> target_index(std::string_view dev) {
    for (const auto& [prefix, bus] : prefixes) {
        if (!dev.starts_with(prefix)) continue;
        unsigned index = 0, letters = 0;
        for (const char c : dev.substr(prefix.size())) {
            if (c >= '0' && c <= '9' && letters != 0) break; // a partition
            if (c < 'a' || c > 'z' || letters == 4) return std::nullopt;
            index = (index + (letters != 0 ? 1 : 0)) * 26 + static_cast<unsigned>(c - 'a');
            ++letters;
        }
        return letters == 0 ? std::nullopt : std::optional(index);
    }
    return std::nullopt;
}

std::optional<DiskBus> bus_of_target(std::string_view dev) {
    for (const auto& [prefix, bus] : prefixes)
        if (dev.starts_with(prefix)) return bus;
    return std::nullopt;
}

std::string scsi_model(const Domain& domain, unsigned index) {
    for (const auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::scsi && (c->index ? c->index->value : 0u) == index)
            return c->model.value_or("");
    return {};
}

std::string disk_alias(const Disk& disk, const Domain& domain) {
    const auto index = target_index(disk.target.dev.value_or("")).value_or(0);
    const auto bus = disk.target.bus.value_or(DiskBus::ide);
    if (const auto* a = address_of<DriveAddress>(disk.info)) {
        const auto controller = a->controller.value_or(0);
        if (bus == DiskBus::scsi && scsi_model(domain, controller) != "lsilogic")
            return fmt::format("scsi{}-{}-{}-{}", controller, a->bus.value_or(0), a->target.value_or(0),
                               a->unit.value_or(0));
        return fmt::format("{}{}-{}-{}", names<DiskBus>.text(bus), controller, a->bus.value_or(0),
                           a->unit.value_or(0));
    }
    return fmt::format("{}-disk{}", names<DiskBus>.text(bus), index);
}

std::string throttle_id(const Disk& disk, const std::string& alias) {
    switch (disk.target.bus.value_or(DiskBus::ide)) {
    case DiskBus::virtio: return "/machine/peripheral/" + alias + "/virtio-backend";
    case DiskBus::usb: return fmt::format("/machine/peripheral/{0}/{0}.0/legacy[0]", alias);
    case DiskBus::ide:
    case DiskBus::fdc:
    case DiskBus::scsi:
    case DiskBus::xen:
    case DiskBus::uml:
    case DiskBus::sata:
    case DiskBus::sd:
    case DiskBus::none: break;
    }
    return alias;
}

template <> void complete(Disk& disk, const CompleteContext&) {
    if (!disk.type) disk.type = SourceType::file;
    if (!disk.device) disk.device = DiskDevice::disk;
    if (!disk.target.bus && disk.target.dev) disk.target.bus = bus_of_target(*disk.target.dev);
    if (disk.target.tray == TrayState::closed) disk.target.tray.reset();
    if (disk.source && local_source_missing(*disk.source, *disk.type) && disk.source->seclabels.empty() &&
        !disk.source->startup_policy)
        disk.source.reset(); // an empty drive says so by having no source
    if (!disk.source && (*disk.device == DiskDevice::cdrom || *disk.device == DiskDevice::floppy))
        disk.type = SourceType::file; // whatever it held before
    if (!disk.driver) disk.driver = DiskDriver{};
    complete_driver(*disk.driver);
    if (!disk.driver->name) disk.driver->name = "qemu";
    // A volume's format is known by its pool only.
    if (!disk.driver->type && *disk.type != SourceType::volume)
        disk.driver->type = *disk.type == SourceType::dir ? "fat" : "raw";
    if (*disk.type == SourceType::vhostuser && !disk.snapshot) disk.snapshot = "no";
    if (*disk.device == DiskDevice::cdrom) disk.readonly = true;
    complete_iotune(disk.iotune);
    if (disk.source) complete_source(*disk.source);
    if (disk.mirror && !disk.mirror->format)
        disk.mirror->format = ImageFormat{.type = disk.mirror->format_attribute.value_or("raw")};
    if (disk.encryption && !disk.encryption->engine) disk.encryption->engine = EncryptionEngine::qemu;
    for (auto* layer = disk.backing_store ? &*disk.backing_store : nullptr; layer && !layer->ends();
         layer = layer->below.empty() ? nullptr : &layer->below.front()) {
        if (layer->source) complete_source(*layer->source);
        if (layer->format) complete_cache(layer->format->metadata_cache);
    }
}

template <> Result<> check(const Disk& disk, const CompleteContext& context) {
    const std::string dev = disk.target.dev.value_or("");
    if (dev.empty()) return fail(Code::no_target, source_text(disk));
    const auto guessed = bus_of_target(dev);
    if (!disk.target.bus && !guessed)
        return fail(Code::internal, tr("Unknown disk name '{0}' and no address specified", dev));
    const auto bus = disk.target.bus ? *disk.target.bus : *guessed;
    const auto device = disk.device.value_or(DiskDevice::disk);
    if (device == DiskDevice::floppy && bus != DiskBus::fdc)
        return std::unexpected(
            malformed(tr("Invalid bus type '{0}' for floppy disk", names<DiskBus>.text(bus))));
    if (device != DiskDevice::floppy && bus == DiskBus::fdc)
        return std::unexpected(malformed(tr("Invalid bus type '{0}' for disk", names<DiskBus>.text(bus))));
    if (device == DiskDevice::cdrom && bus == DiskBus::virtio)
        return std::unexpected(unsupported(tr("disk type of '{0}' does not support ejectable media", dev)));
    if ((disk.vendor || disk.product) && bus != DiskBus::scsi)
        return std::unexpected(unsupported(tr("Only scsi disk supports vendor and product")));
    TRY(check_text(disk));
    TRY(check_source(disk, dev));
    TRY(check_driver(disk, bus, dev, context.domain));
    TRY(check_address(disk, bus, dev));
    if (disk.iotune) TRY(check_iotune(*disk.iotune));
    return check_place(disk, bus, dev, context.domain);
}

} // namespace cloister
