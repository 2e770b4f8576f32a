/// What a guest is given, and how it is confined, as one value. The planner writes it, `explain` prints it,
/// the layers read it, a launch executes it, the verification compares the kernel with it.
#pragma once

#include "conf/base/uuid.hpp"
#include "security/grant.hpp"
#include "security/item.hpp"
#include "security/tuning.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cloister {

struct EnvVar {
    std::string name{}, value{};
    std::string why{};
    bool operator==(const EnvVar&) const = default;
};

/// Who QEMU runs as. `why` names the line of qemu.conf or the <seclabel> that decided.
struct Identity {
    bool set_ids = true; ///< false (security_driver = []): stays what the daemon is
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::uint32_t> groups{}; ///< supplementary
    bool relabel_dac = true;    ///< false: no chown (dynamic_ownership = 0, relabel='no', type='none')
    bool remember_owner = true; ///< false: root's afterwards, whosever it was
    bool map_owner = false; ///< ownership = "idmap": files stay their owner's, the guest sees them as its own
    std::string process_context{};      ///< SELinux; empty: not confined by SELinux
    std::string image_context{};        ///< of what is the guest's alone
    std::string shared_context{};       ///< of what several guests write
    std::string content_context{};      ///< of what it only reads
    bool relabel_selinux = false;       ///< false: files of the host keep their labels
    std::string apparmor_profile{};     ///< empty: not confined by AppArmor
    bool make_apparmor_profile = false; ///< from the grants; false: the administrator's, and loaded
    std::string mac_why{};              ///< the same for SELinux or AppArmor
    std::string why{};
    bool operator==(const Identity&) const = default;
};

/// A descriptor that QEMU inherits, by the symbol the items use.
struct ListenSocket {
    std::string path{}; ///< a UNIX stream socket, bound and listening before exec
    bool guest_owned =
        false; ///< the socket file is given to the guest's uid (channels); the monitor's is not
    bool operator==(const ListenSocket&) const = default;
};
struct TapDevice {
    std::string name{}; ///< "vnet0": made when absent
    std::optional<std::string> bridge{};
    std::optional<std::string> host_mac{}; ///< fe:54:00:… so that a bridge keeps its own
    bool vnet_header = false;
    bool multi_queue = false;
    bool persistent = false; ///< an existing, administrator's tap (managed='no'): only opened
    std::optional<std::uint32_t> mtu{};
    bool operator==(const TapDevice&) const = default;
};
struct OpenedFile {
    std::string path{};
    Access access = Access::read_write;
    bool append = false, create = false, truncate = false;
    bool optional = false; ///< absent is fine: the item that uses it is dropped by name
    bool operator==(const OpenedFile&) const = default;
};
struct VhostVsock {
    std::uint32_t cid = 0; ///< 0: the first free one, starting at 3
    bool operator==(const VhostVsock&) const = default;
};
struct Descriptor {
    std::string symbol{}; ///< as in fd_symbol()
    std::variant<ListenSocket, TapDevice, OpenedFile, VhostVsock> what{};
    std::string why{};
    bool operator==(const Descriptor&) const = default;
};

/// A file or directory the daemon makes before the launch and removes after it.
struct MadeDirectory {
    std::string path{};
    std::uint32_t mode = 0750;
    bool guest_owned = true;
    bool keep = false; ///< kept when the guest stops (a TPM's memory)
    bool operator==(const MadeDirectory&) const = default;
};
struct MadeFile {
    std::string path{};
    std::string content{};                ///< ignored when `copy_of` is set
    std::optional<std::string> copy_of{}; ///< NVRAM from its template
    std::uint32_t mode = 0600;
    bool guest_owned = true;
    bool keep = false; ///< kept when the guest stops, and not made when it exists (NVRAM)
    bool operator==(const MadeFile&) const = default;
};

/// A program that runs beside QEMU and is confined likewise (swtpm).
struct HelperProcess {
    std::string name{}; ///< "swtpm"
    std::vector<std::string> argv{};
    std::optional<std::vector<std::string>>
        setup{};                ///< run to its end first, e.g. swtpm_setup; when `setup_unless` is absent
    std::string setup_unless{}; ///< a path
    std::string socket{};       ///< ready when this exists
    std::uint32_t uid = 0, gid = 0;
    std::vector<MadeDirectory> directories{}; ///< guest_owned: the helper's own
    std::vector<MadeFile> files{};            ///< likewise
    std::string why{};
    bool operator==(const HelperProcess&) const = default;
};

/// What the host's administrator bounds of a guest whose definition came from a client other than root.
struct Bounds {
    std::vector<std::string> paths{};  ///< what it names, and what its images stand on
    std::vector<std::string> within{}; ///< allowed_paths
    bool operator==(const Bounds&) const = default;
};

/// The QEMU items and the host resources of one device: also the delta of a hot-plug.
struct DevicePlan {
    std::vector<QemuItem> items{};
    std::vector<Grant> grants{};
    std::vector<Descriptor> descriptors{};
    std::vector<MadeDirectory> directories{};
    std::vector<MadeFile> files{};
    std::vector<HelperProcess> helpers{};
    std::vector<EnvVar> env{}; ///< of QEMU: DISPLAY of a local window, SASL_CONF_PATH …
    std::vector<std::pair<std::string, boost::json::object>> monitor_commands{}; ///< as in LaunchPlan
    std::optional<Bounds> bounds{}; ///< absent: root may have anything
    bool operator==(const DevicePlan&) const = default;
};

struct Limits { ///< absent: inherited
    std::optional<std::uint64_t> memlock{}, processes{}, files{}, threads{};
    std::uint64_t core = 0;
    bool operator==(const Limits&) const = default;
};

/// What each layer is to do besides the grants. `why` of a relaxation: the line of qemu.conf, or the XML.
struct Confinement {
    bool mount_namespace = true;
    std::vector<Grant> base_devices{}; ///< qemu.conf cgroup_device_acl: nodes of /dev and rules of the ACL
    bool device_acl = true;
    std::vector<std::string> cgroup_controllers{}; ///< empty with use_cgroups: all there are
    bool use_cgroups = true;
    std::string cgroup_name{}; ///< "qemu-1-NAME", filtered as machine names are
    std::string cgroup_partition = "/machine";
    bool machine_scope =
        false; ///< the group is in a scope of systemd-machined's, which exists once a process does
    GroupTuning tuning{};
    bool qemu_seccomp = true; ///< QEMU's own -sandbox
    bool own_seccomp = true;  ///< ours, from the helper's start
    bool landlock = true;
    std::vector<std::string> kept_capabilities{}; ///< "sys_rawio"; everything else is dropped
    bool no_new_privs = true;
    Limits limits{};
    std::vector<std::string> relaxations{}; ///< sentences: what is off, and which line turned it off
    bool operator==(const Confinement&) const = default;
};

struct LaunchPaths {
    std::string state_dir{}; ///< /var/lib/cloister/qemu/domain-ID-NAME
    std::string channel_dir{};
    std::string monitor{}; ///< the QMP socket, in a root-owned 0700 folder
    std::string log{};
    std::string master_key{};
    std::string tpm_socket{}; ///< of swtpm; empty: STATE_DIR/swtpm.sock
    std::string tpm_state{};  ///< the emulated TPM's memory, kept between runs; empty: STATE_DIR/tpm
    std::string tpm_log{};    ///< of swtpm; empty: no log
    bool operator==(const LaunchPaths&) const = default;
};

struct LaunchPlan {
    std::string name{};
    Uuid uuid{};
    int id = -1;
    std::string emulator{};
    std::vector<QemuItem> items{};
    std::vector<EnvVar> env{};
    Identity identity{};
    std::vector<Grant> grants{};
    std::vector<Descriptor> descriptors{};
    std::vector<MadeDirectory> directories{};
    std::vector<MadeFile> files{};
    std::vector<HelperProcess> helpers{};
    Confinement confinement{};
    LaunchPaths paths{};
    std::optional<Bounds> bounds{};    ///< absent: root wrote the definition
    std::uint64_t memory_bytes = 0;    ///< of the guest: the monitor's patience grows with it
    std::vector<std::string> taints{}; ///< libvirt's flags: "custom-argv", "high-privileges"
    std::vector<std::string> warnings{};
    /// Said over QMP after the greeting and before `cont`: {"set_password", …}; secrets never stand on the
    /// command line.
    std::vector<std::pair<std::string, boost::json::object>> monitor_commands{};
    bool operator==(const LaunchPlan&) const = default;
};

/// The whole argv, argv[0] first; symbols not replaced.
std::vector<std::string> argv(const LaunchPlan& plan);

} // namespace cloister
