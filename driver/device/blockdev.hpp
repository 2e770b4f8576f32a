/// Images as QEMU's block nodes: the storage node that opens the bytes, the format node that understands
/// them, the secrets both need, and what of the host they touch.
#pragma once

#include "driver/device/device.hpp"
#include "driver/device/image_chain.hpp"

namespace cloister {

/// What a disk's <driver> says to its nodes.
struct NodeOptions {
    std::optional<DiskCache> cache{};
    std::optional<DiskIo> io{};
    std::optional<DiskDiscard> discard{};
    std::optional<DetectZeroes> detect_zeroes{};
    bool read_only = false;
    bool floppy = false, cdrom = false; ///< of a directory as a FAT disk; of a host device
};

/// The names of one image's nodes.
struct NodeNames {
    std::string storage{};     ///< "libvirt-1-storage", "libvirt-pflash1-storage"
    std::string format{};      ///< "libvirt-1-format"
    std::string slice{};       ///< "libvirt-1-slice-sto"
    std::string auth_secret{}; ///< "libvirt-1-storage-auth-secret0"
    std::string cookie_secret{};
    std::string key_secret{}; ///< "libvirt-1-format-encryption-secret0"
    std::string tls_creds{};  ///< "objlibvirt-1-storage_tls0"
};
NodeNames node_names(std::uint32_t index);

/// The storage node's `driver` and what it opens, without a node-name: also what a hostdev's iSCSI unit is.
/// `auth_secret`, `key_secret`, `tls_creds`: ids of objects that exist by then; used when the source asks for
/// them. Errors: config_unsupported, internal, with libvirt's texts.
Result<boost::json::object> storage_driver(SourceType type, const Source& source, const NodeNames& names,
                                           const PlanContext& context, const NodeOptions& options = {});

/// Secrets, the storage node, the format node of one image, appended to `out` in the order QEMU needs.
/// `backing`: the format node below, nullptr for an explicit end, absent for "not known".
Result<> add_image(DevicePlan& out, SourceType type, const Source& source, std::string_view format,
                   const MetadataCache* metadata_cache, const NodeNames& names,
                   const std::optional<std::optional<std::string>>& backing, const NodeOptions& options,
                   const PlanContext& context, const std::string& why);

/// -blockdev for a whole chain, bottom first; returns the name of the top format node, "" for an empty
/// drive. Grants: the top as `access` and `sharing` say, each layer below shared and read-only.
Result<std::string> add_chain(DevicePlan& out, const Disk& disk, const PlanContext& context,
                              const std::string& why);

/// What a local image needs of the host; nothing for an image behind the network.
void add_image_grant(DevicePlan& out, SourceType type, const Source& source, Access access, Sharing sharing,
                     const PlanContext& context, const std::string& why);

/// QEMU's own words for a path on the host, from what the facts know of it.
Kind kind_of(const HostFacts& facts, const std::string& path, Kind fallback);

/// Errors: config_unsupported when the function shares a switch with others that it can reach without passing
/// the IOMMU, unless qemu.conf's relaxed_acs_check allows it.
Result<> check_kept_apart(const PciAddress& address, const PlanContext& context, const std::string& why);

/// /dev/vfio/vfio and the group of a host PCI function, for drivers that open it through VFIO.
void add_vfio_grants(DevicePlan& out, const PciAddress& address, const PlanContext& context,
                     const std::string& why);

} // namespace cloister
