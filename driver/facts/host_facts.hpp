/// What the host is, as a value: everything outside of the definition, QEMU and the settings that planning
/// asks about. driver/probe fills it; a dry run pins it.
#pragma once

#include "security/selinux.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cloister {

/// One layer of a disk's backing chain, read from the image's header.
struct ImageLayer {
    std::string path{};
    std::string format{};
    bool operator==(const ImageLayer&) const = default;
};
enum class PathKind { absent, file, block_device, char_device, directory, socket, fifo };
struct PathFact {
    PathKind kind = PathKind::absent;
    std::uint64_t device = 0;          ///< st_rdev of a device node
    std::vector<ImageLayer> backing{}; ///< below the top, when it was probed
    bool chain_probed = false;
    bool operator==(const PathFact&) const = default;
};

/// One USB device that is plugged into the host.
struct UsbFact {
    unsigned bus = 0, device = 0;
    unsigned vendor = 0, product = 0;
    bool operator==(const UsbFact&) const = default;
};

/// Where a volume of a storage pool is, as the pool's daemon tells it.
struct VolumeFact {
    PathKind kind = PathKind::file; ///< absent: behind iSCSI
    std::string path{};             ///< of a file, device or directory
    std::string iscsi_name{};       ///< "TARGET/LUN"
    std::string iscsi_host{};
    bool operator==(const VolumeFact&) const = default;
};

struct HugetlbMount {
    std::string path{};
    std::uint64_t page_kib = 0;
    bool is_default = false;
    bool operator==(const HugetlbMount&) const = default;
};

/// One firmware descriptor of /usr/share/qemu/firmware (QEMU's docs/interop/firmware.json), already merged by
/// priority.
struct Firmware {
    std::string descriptor{};
    std::vector<std::string> interfaces{}; ///< "uefi", "bios"
    std::string mapping{};                 ///< "flash", "memory", "kernel"
    std::string mode{};                    ///< of flash: "split", "combined", "stateless"
    std::string executable{}, executable_format{};
    std::string nvram_template{}, nvram_template_format{};
    std::string memory_filename{};
    std::map<std::string, std::vector<std::string>> targets{}; ///< arch -> machine globs
    std::vector<std::string> features{}; ///< "secure-boot", "requires-smm", "enrolled-keys" …
    bool operator==(const Firmware&) const = default;
};

struct Ids {
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::uint32_t> groups{};
    bool operator==(const Ids&) const = default;
};

struct HostFacts {
    std::string arch = "x86_64";
    bool privileged = true;
    bool kvm_usable = false;
    std::uint64_t page_size = 4096;
    std::vector<unsigned> numa_nodes{0};
    std::vector<unsigned> cpus{}; ///< online
    std::vector<HugetlbMount> hugetlb{};
    std::vector<Firmware> firmware{};
    std::optional<std::string> render_node{};
    bool vhost_net = false, vhost_vsock = false, tun = true;
    std::int64_t now = 0; ///< seconds since the epoch
    std::string local_zone{};
    std::map<std::string, std::string> environment{}; ///< PATH HOME USER LOGNAME … of the daemon
    std::map<std::string, PathFact> paths{};          ///< of every path that the definition names
    std::map<std::string, Ids> identities{};          ///< "USER:GROUP" as written -> what it resolves to
    std::map<std::string, std::string> networks{};    ///< virtual network -> its bridge
    /// A dry run's answer for networks that `networks` lacks, as if a network daemon did all that they ask.
    std::optional<std::string> every_network{};
    std::map<std::string, VolumeFact> volumes{}; ///< "POOL/VOLUME", with "/direct" behind for mode='direct'
    std::vector<UsbFact> usb_devices{};
    std::map<std::string, std::string> scsi_generic{}; ///< "HOST:BUS:TARGET:UNIT" -> "/dev/sg0"
    std::map<std::string, unsigned> iommu_groups{}; ///< host PCI name ("0000:01:00.0") or mdev UUID -> group
    std::set<std::string> not_kept_apart{};         ///< host PCI names below a switch port without ACS
    std::optional<Ids> emulator_ids{};              ///< of qemu.conf's user and group
    std::optional<std::string> selinux{};           ///< "enforcing", "permissive"; absent: no SELinux
    SelinuxPolicy selinux_policy{};                 ///< empty without SELinux, or when it names no contexts
    bool apparmor = false;                          ///< it is in force
    bool operator==(const HostFacts&) const = default;
};

} // namespace cloister
