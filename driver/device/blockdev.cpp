#include "driver/device/blockdev.hpp"

#include "conf/base/tr.hpp"
#include "conf/part/scaled.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/blockdev_network.hpp"
#include "driver/device/chardev.hpp"
#include "driver/device/secret.hpp"

#include <fmt/format.h>
#include <ranges>

namespace cloister {

namespace {

using boost::json::object;

/// Device major of SCSI CD-ROMs. Source: Linux, Documentation/admin-guide/devices.txt
constexpr std::uint64_t cdrom_major = 11;
constexpr std::uint64_t major_of(std::uint64_t device) { return (device >> 8) & 0xfff; }

bool is_cdrom_drive(const std::string& path, const HostFacts& facts) {
    const auto found = facts.paths.find(path);
    if (found == facts.paths.end() || found->second.kind == PathKind::absent) return path == "/dev/cdrom";
    return found->second.kind == PathKind::block_device && major_of(found->second.device) == cdrom_major;
}

void add_cache(object& node, const NodeOptions& options) {
    const auto mode = options.cache.value_or(DiskCache::automatic);
    if (mode == DiskCache::automatic) return;
    node["cache"] = object{{"direct", mode == DiskCache::none || mode == DiskCache::directsync},
                           {"no-flush", mode == DiskCache::unsafe}};
}

const StorageSlice* slice_of(const Source& source) {
    return source.slices && !source.slices->slices.empty() ? &source.slices->slices.front() : nullptr;
}

bool is_luks(const Source& source) {
    return source.encryption && source.encryption->engine != EncryptionEngine::librbd &&
           source.encryption->format.starts_with("luks");
}

/// The driver that understands a format. Errors: config_unsupported.
Result<std::string> format_driver(std::string_view format, const Source& source) {
    if (format == "raw" || format == "fat" || format == "iso")
        return std::string(is_luks(source) ? "luks" : "raw");
    for (const std::string_view known :
         {"qcow2", "luks", "vmdk", "vdi", "vpc", "vhdx", "qed", "qcow", "bochs", "cloop", "dmg", "parallels"})
        if (format == known) return std::string(format);
    return fail(Code::config_unsupported, tr("unsupported disk driver type '{0}'", format));
}

Result<> add_format_options(object& node, std::string_view driver, const Source& source,
                            const MetadataCache* metadata_cache, const NodeNames& names) {
    if (metadata_cache && driver == "qcow2") {
        const auto& size = metadata_cache->max_size;
        const auto bytes = scaled_bytes(std::to_string(size.value), size.unit.value_or("bytes"), "bytes");
        if (!bytes) return fail(Code::xml, tr("invalid size of the metadata cache"));
        node["cache-size"] = *bytes;
    }
    if (driver == "luks") {
        node["key-secret"] = names.key_secret;
    } else if (driver == "qcow2" && source.encryption &&
               source.encryption->engine != EncryptionEngine::librbd) {
        node["encrypt"] = object{{"format", source.encryption->format == "qcow" ? "aes" : "luks"},
                                 {"key-secret", names.key_secret}};
    }
    return {};
}

std::string_view usage_type(const Source& source) {
    return source.protocol == "rbd" ? "ceph" : source.protocol == "iscsi" ? "iscsi" : "volume";
}

/// The secrets and credentials that the image's nodes name.
Result<> add_objects(DevicePlan& out, const Source& source, const NodeNames& names,
                     const PlanContext& context, const std::string& why) {
    if (source.auth) {
        const auto value = TRY(secret_value(source.auth->secret, usage_type(source), context.reserved));
        out.items.push_back(TRY(secret_object(names.auth_secret, value, context.reserved, why)));
    }
    if (source.cookies && !source.cookies->cookies.empty()) {
        std::string jar;
        for (const auto& cookie : source.cookies->cookies)
            jar += (jar.empty() ? "" : "; ") + cookie.name + "=" + cookie.value;
        out.items.push_back(TRY(secret_object(names.cookie_secret, jar, context.reserved, why)));
    }
    if (source.encryption && !source.encryption->secrets.empty()) {
        const auto value = TRY(secret_value(source.encryption->secrets.front(), "volume", context.reserved));
        out.items.push_back(TRY(secret_object(names.key_secret, value, context.reserved, why)));
    }
    if (source.protocol && wants_tls(source, context.conf)) {
        object creds{{"qom-type", "tls-creds-x509"},
                     {"id", names.tls_creds},
                     {"dir", context.conf.nbd_tls_x509_cert_dir.value_or(
                                 context.conf.default_tls_x509_cert_dir.value_or("/etc/pki/qemu"))},
                     {"endpoint", "client"},
                     {"verify-peer", true}};
        if (const auto& uuid = context.conf.nbd_tls_x509_secret_uuid) {
            const auto id = names.storage + "-tls-secret0";
            const auto value = TRY(secret_value(*uuid, context.reserved));
            out.items.push_back(TRY(secret_object(id, value, context.reserved, why)));
            creds["passwordid"] = id;
        }
        out.items.push_back({"object", std::move(creds), why});
    }
    return {};
}

/// A persistent-reservation helper that the administrator runs.
Result<> add_reservations(DevicePlan& out, object& storage, const Source& source, const std::string& id,
                          const std::string& why) {
    if (!source.reservations) return {};
    if (source.reservations->managed != YesNo::no || !source.reservations->source)
        return fail(Code::config_unsupported,
                    tr("starting a helper for persistent reservations is not supported, give the socket of a "
                       "running one"));
    const auto path = source.reservations->source->path.value_or("");
    out.items.push_back(
        {"object", object{{"qom-type", "pr-manager-helper"}, {"id", id}, {"path", path}}, why});
    out.grants.push_back({.path = path,
                          .kind = Kind::socket,
                          .access = Access::read_write,
                          .sharing = Sharing::shared,
                          .keep_owner = true,
                          .why = why});
    storage["pr-manager"] = id;
    return {};
}

/// A disk's own options as its nodes get them.
NodeOptions options_of(const Disk& disk) {
    NodeOptions out{.floppy = disk.device == DiskDevice::floppy, .cdrom = disk.device == DiskDevice::cdrom};
    if (disk.driver) {
        out.cache = disk.driver->cache;
        out.io = disk.driver->io;
        out.discard = disk.driver->discard;
        out.detect_zeroes = disk.driver->detect_zeroes;
    }
    if (disk.shareable && out.cache.value_or(DiskCache::automatic) == DiskCache::automatic)
        out.cache = DiskCache::none; // another guest's writes must be seen
    // QEMU refuses to unmap zeroes on a node that ignores discards.
    if (out.detect_zeroes == DetectZeroes::unmap && out.discard != DiskDiscard::unmap)
        out.detect_zeroes = DetectZeroes::on;
    return out;
}

/// A volume as what it is: the disk's own words about it stay. Errors: config_unsupported for a pool that
/// nobody told of.
Result<SourceType> resolve_volume(Source& source, const HostFacts& facts) {
    const auto pool = source.pool.value_or(""), volume = source.volume.value_or("");
    const bool direct = source.mode == "direct";
    const auto found = facts.volumes.find(pool + "/" + volume + (direct ? "/direct" : ""));
    if (found == facts.volumes.end())
        return fail(Code::config_unsupported,
                    tr("storage pool '{0}' of volume '{1}' is not available: storage pools belong to another "
                       "daemon",
                       pool, volume));
    const auto& fact = found->second;
    switch (fact.kind) {
    case PathKind::absent:
        source.protocol = "iscsi";
        source.name = fact.iscsi_name;
        source.hosts = {SourceHost{.name = fact.iscsi_host}};
        return SourceType::network;
    case PathKind::directory: source.dir = fact.path; return SourceType::dir;
    case PathKind::block_device: source.dev = fact.path; return SourceType::block;
    case PathKind::file:
    case PathKind::char_device:
    case PathKind::socket:
    case PathKind::fifo: break;
    }
    source.file = fact.path;
    return SourceType::file;
}

} // namespace

NodeNames node_names(std::uint32_t index) {
    const auto storage = node_name(index, "storage"), format = node_name(index, "format");
    return {.storage = storage,
            .format = format,
            .slice = node_name(index, "slice-sto"),
            .auth_secret = storage + "-auth-secret0",
            .cookie_secret = storage + "-httpcookie-secret0",
            .key_secret = format + "-encryption-secret0",
            .tls_creds = "obj" + storage + "_tls0"};
}

Kind kind_of(const HostFacts& facts, const std::string& path, Kind fallback) {
    const auto found = facts.paths.find(path);
    if (found == facts.paths.end()) return fallback;
    switch (found->second.kind) {
    case PathKind::absent: return fallback;
    case PathKind::file: return Kind::file;
    case PathKind::block_device: return Kind::block_device;
    case PathKind::char_device: return Kind::char_device;
    case PathKind::directory: return Kind::directory;
    case PathKind::socket: return Kind::socket;
    case PathKind::fifo: return Kind::fifo;
    }
    return fallback;
}

Result<boost::json::object> storage_driver(SourceType type, const Source& source, const NodeNames& names,
                                           const PlanContext& context, const NodeOptions& options) {
    object out;
    switch (type) {
    case SourceType::file:
    case SourceType::block: {
        const auto* path = local_path(type, source);
        if (!path) return fail(Code::internal, tr("the image has no path"));
        // A file attribute may name a device: QEMU wants to be told which it is.
        const bool device =
            type == SourceType::block || kind_of(context.facts, *path, Kind::file) == Kind::block_device;
        out["driver"] = !device                                                 ? "file"
                        : options.cdrom && is_cdrom_drive(*path, context.facts) ? "host_cdrom"
                                                                                : "host_device";
        out["filename"] = *path;
        if (options.io && *options.io != DiskIo::automatic)
            out["aio"] = std::string(::cloister::names<DiskIo>.text(*options.io));
        return out;
    }
    case SourceType::dir:
        return object{{"driver", "vvfat"},
                      {"dir", source.dir.value_or("")},
                      {"floppy", options.floppy},
                      {"rw", !options.read_only}};
    case SourceType::network: return network_driver(source, names, context.conf);
    case SourceType::nvme:
        if (!source.address) return fail(Code::internal, tr("the NVMe disk has no address"));
        return object{{"driver", "nvme"},
                      {"device", host_pci_name(source.address->pci)},
                      {"namespace", source.nvme_namespace.value_or(1)}};
    case SourceType::volume:
        return fail(Code::config_unsupported,
                    tr("storage pool '{0}' of volume '{1}' is not available: storage pools belong to another "
                       "daemon",
                       source.pool.value_or(""), source.volume.value_or("")));
    case SourceType::vhostuser: break;
    }
    return fail(Code::internal, tr("a vhost-user disk has no image"));
}

Result<> add_image(DevicePlan& out, SourceType type, const Source& source, std::string_view format,
                   const MetadataCache* metadata_cache, const NodeNames& names,
                   const std::optional<std::optional<std::string>>& backing, const NodeOptions& options,
                   const PlanContext& context, const std::string& why) {
    TRY(add_objects(out, source, names, context, why));
    if (type == SourceType::nvme && source.address) TRY(check_kept_apart(source.address->pci, context, why));

    auto storage = TRY(storage_driver(type, source, names, context, options));
    TRY(add_reservations(out, storage, source, "pr-helper-" + names.storage, why));
    storage["node-name"] = names.storage;
    add_cache(storage, options);
    storage["auto-read-only"] = true;
    storage["discard"] = "unmap";
    out.items.push_back({"blockdev", std::move(storage), why});

    const auto driver = TRY(format_driver(format, source));
    const auto* slice = slice_of(source);
    if (slice && driver != "raw") {
        object node{{"driver", "raw"},     {"node-name", names.slice}, {"offset", slice->offset},
                    {"size", slice->size}, {"file", names.storage},    {"auto-read-only", true},
                    {"discard", "unmap"}};
        add_cache(node, options);
        out.items.push_back({"blockdev", std::move(node), why});
    }

    object node{{"node-name", names.format}, {"read-only", options.read_only}};
    if (options.discard && *options.discard != DiskDiscard::automatic)
        node["discard"] = std::string(::cloister::names<DiskDiscard>.text(*options.discard));
    if (options.detect_zeroes && *options.detect_zeroes != DetectZeroes::automatic)
        node["detect-zeroes"] = std::string(::cloister::names<DetectZeroes>.text(*options.detect_zeroes));
    add_cache(node, options);
    node["driver"] = driver;
    TRY(add_format_options(node, driver, source, metadata_cache, names));
    if (slice && driver == "raw") {
        node["offset"] = slice->offset;
        node["size"] = slice->size;
    }
    node["file"] = slice && driver != "raw" ? names.slice : names.storage;
    const bool can_have_backing =
        driver == "qcow2" || driver == "vmdk" || driver == "qed" || driver == "qcow";
    if (backing && *backing)
        node["backing"] = **backing;
    else if (backing && can_have_backing && driver != "vmdk")
        node["backing"] = nullptr;
    out.items.push_back({"blockdev", std::move(node), why});
    return {};
}

Result<> check_kept_apart(const PciAddress& address, const PlanContext& context, const std::string& why) {
    const auto name = host_pci_name(address);
    if (context.conf.relaxed_acs_check || !context.facts.not_kept_apart.contains(name)) return {};
    return fail(
        Code::config_unsupported,
        tr("{0}: the PCI device {1} is behind a switch that lacks ACS, so it can reach its neighbours "
           "past the IOMMU; relaxed_acs_check in qemu.conf would allow it",
           why, name));
}

void add_vfio_grants(DevicePlan& out, const PciAddress& address, const PlanContext& context,
                     const std::string& why) {
    out.grants.push_back({.path = "/dev/vfio/vfio",
                          .kind = Kind::char_device,
                          .access = Access::read_write,
                          .sharing = Sharing::shared,
                          .keep_owner = true,
                          .why = why});
    const auto group = context.facts.iommu_groups.find(host_pci_name(address));
    if (group != context.facts.iommu_groups.end())
        out.grants.push_back({.path = fmt::format("/dev/vfio/{}", group->second),
                              .kind = Kind::char_device,
                              .access = Access::read_write,
                              .why = why});
}

void add_image_grant(DevicePlan& out, SourceType type, const Source& source, Access access, Sharing sharing,
                     const PlanContext& context, const std::string& why) {
    if (type == SourceType::nvme && source.address) {
        add_vfio_grants(out, source.address->pci, context, why);
        return;
    }
    const auto* path = local_path(type, source);
    if (!path) return;
    const auto fallback = type == SourceType::block ? Kind::block_device
                          : type == SourceType::dir ? Kind::directory
                                                    : Kind::file;
    out.grants.push_back({.path = *path,
                          .kind = kind_of(context.facts, *path, fallback),
                          .access = access,
                          .sharing = sharing,
                          .overrides = overrides_of(source.seclabels),
                          .why = why});
}

Result<std::string> add_chain(DevicePlan& out, const Disk& disk, const PlanContext& context,
                              const std::string& why) {
    const auto chain = images(disk);
    if (chain.empty()) return std::string{};
    const auto top_options = options_of(disk);
    const bool read_only = disk.readonly || disk.device == DiskDevice::cdrom;

    std::optional<std::optional<std::string>> below;
    if (chain_ends(disk)) below.emplace();
    for (const auto& image : chain | std::views::reverse) {
        auto source = *image.source;
        const auto type =
            image.type == SourceType::volume ? TRY(resolve_volume(source, context.facts)) : image.type;
        if (image.top && image.type != SourceType::volume) { // the older place of both is the disk itself
            if (!source.auth) source.auth = disk.auth;
            if (!source.encryption) source.encryption = disk.encryption;
        }
        auto options = top_options;
        options.read_only = !image.top || read_only;
        if (!image.top) options.detect_zeroes.reset();
        const auto names = node_names(image.index);
        const auto layer = image.top ? why : why + ", backing image";
        TRY(add_image(out, type, source, image.format, image.metadata_cache, names, below, options, context,
                      layer));
        const bool writes = image.top && !read_only;
        add_image_grant(out, type, source, writes ? Access::read_write : Access::read,
                        writes && !disk.shareable ? Sharing::exclusive : Sharing::shared, context, layer);
        below = names.format;
    }
    return node_names(chain.front().index).format;
}

} // namespace cloister
