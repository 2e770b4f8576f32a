#include "conf/settings/keys.hpp"

#include <array>

namespace cloister::settings {
namespace {

using C = QemuConf;
constexpr auto later = Effect::none_yet;
constexpr Range any{};
constexpr Range port{.least = 1, .most = 65535};
constexpr Range filled{.form = Form::filled}, path{.form = Form::path}, uuid{.form = Form::uuid};

constexpr std::array table{
    // who QEMU is, and what confines it
    key<&C::security_driver>(
        "security_driver", {.choices = "selinux apparmor none", .bare_string = true},
        "Mandatory access control of guests. Unset: what the host offers, SELinux or AppArmor. \"none\": "
        "none, but guests still run as `user`.\n[]: neither that nor another user: QEMU "
        "keeps the daemon's identity, and every guest is tainted."),
    key<&C::security_default_confined>("security_default_confined", any,
                                       "Whether a guest without a <seclabel> is confined."),
    key<&C::security_require_confined>("security_require_confined", any,
                                       "Whether a guest that asks not to be confined is refused."),
    key<&C::user>("user", filled, "The user QEMU runs as: a name, a number, or +NUMBER for never a name."),
    key<&C::group>("group", filled, "The group QEMU runs as."),
    key<&C::dynamic_ownership>("dynamic_ownership", any,
                               "Whether a guest's files are given to that user while it runs."),
    key<&C::remember_owner>("remember_owner", any,
                            "Whether the former owner and SELinux label are remembered and restored."),
    key<&C::cgroup_controllers>(
        "cgroup_controllers",
        {.choices = "cpu devices memory blkio cpuset cpuacct freezer net_cls perf_event"},
        "The cgroup controllers to use, of those that are there. Unset: all. Without "
        "\"devices\" there is no device ACL."),
    key<&C::cgroup_device_acl>("cgroup_device_acl", path,
                               "The device nodes that every guest may use, instead of these: rules of the "
                               "device ACL, and nodes of its private /dev."),
    key<&C::ownership>(
        "ownership", {.choices = "chown idmap"},
        "How a guest's files become usable for that user. \"chown\": they are given to it while it "
        "runs.\n\"idmap\": they stay their owner's, and only the guest sees them as its own; this "
        "needs the private\nmount namespace and a file system with idmapped mounts."),
    key<&C::backing_chain_paths>("backing_chain_paths", any,
                                 "The folders that backing files which disk images name may be in, after all "
                                 "symlinks are followed. []: "
                                 "anywhere. Not a key of libvirt's."),
    key<&C::seccomp_sandbox>(
        "seccomp_sandbox", {.most = 1, .signed_number = true},
        "QEMU's seccomp filter and ours: 0 turns both off for all guests; 1 and -1 turn them on."),
    key<&C::namespaces>(
        "namespaces", {.choices = "mount"},
        "Private namespaces of a guest. Unset: [ \"mount\" ]. []: none; the guest sees the host's /dev."),
    key<&C::clear_emulator_capabilities>("clear_emulator_capabilities", any,
                                         "Kept for old files: capabilities are always cleared.", later),
    key<&C::relaxed_acs_check>("relaxed_acs_check", any,
                               "Whether a PCI device behind a switch without ACS may be assigned."),
    key<&C::mac_filter>("mac_filter", any, "Whether a guest may only send from its own MAC address.", later),
    key<&C::lock_manager>("lock_manager", {.choices = "nop lockd sanlock"},
                          "Who locks disk images besides QEMU itself. Only \"nop\" is there: the others are "
                          "refused when the daemon starts."),
    key<&C::swtpm_user>("swtpm_user", filled, "The user the TPM emulator runs as."),
    key<&C::swtpm_group>("swtpm_group", filled, "The group the TPM emulator runs as."),
    key<&C::capability_filters>("capability_filters", any, "QEMU capabilities to hide, for debugging.",
                                later),
    key<&C::deprecation_behavior>("deprecation_behavior", {.choices = "none omit reject crash"},
                                  "What QEMU does when a deprecated interface is used."),
    // TLS
    key<&C::default_tls_x509_cert_dir>("default_tls_x509_cert_dir", path,
                                       "Where certificates are looked for. A folder that is named here or "
                                       "below, but is not there, keeps the daemon from starting."),
    key<&C::default_tls_x509_verify>("default_tls_x509_verify", any,
                                     "Whether clients must show a certificate."),
    key<&C::default_tls_x509_secret_uuid>("default_tls_x509_secret_uuid", uuid,
                                          "The secret that decrypts the server's key. Secrets are not kept "
                                          "here yet: a guest that needs one is refused."),
    key<&C::vnc_tls>("vnc_tls", any, "Whether VNC is encrypted."),
    key<&C::vnc_tls_x509_cert_dir>("vnc_tls_x509_cert_dir", path,
                                   "Certificates of VNC. Unset: /etc/pki/libvirt-vnc when it exists, else "
                                   "default_tls_x509_cert_dir; likewise below."),
    key<&C::vnc_tls_x509_secret_uuid>("vnc_tls_x509_secret_uuid", uuid,
                                      "The secret that decrypts VNC's key."),
    key<&C::vnc_tls_x509_verify>("vnc_tls_x509_verify", any, "Whether VNC clients must show a certificate."),
    key<&C::spice_tls>("spice_tls", any, "Whether SPICE offers an encrypted port."),
    key<&C::spice_tls_x509_cert_dir>("spice_tls_x509_cert_dir", path, "Certificates of SPICE."),
    key<&C::chardev_tls>("chardev_tls", any, "Whether TCP character devices are encrypted."),
    key<&C::chardev_tls_x509_cert_dir>("chardev_tls_x509_cert_dir", path,
                                       "Certificates of character devices."),
    key<&C::chardev_tls_x509_verify>("chardev_tls_x509_verify", any,
                                     "Whether peers of character devices must show a certificate."),
    key<&C::chardev_tls_x509_secret_uuid>("chardev_tls_x509_secret_uuid", uuid,
                                          "The secret that decrypts their key."),
    key<&C::vxhs_tls>("vxhs_tls", any, "Kept for old files: QEMU has no VxHS any more.", later),
    key<&C::vxhs_tls_x509_cert_dir>("vxhs_tls_x509_cert_dir", path, "Kept for old files.", later),
    key<&C::vxhs_tls_x509_secret_uuid>("vxhs_tls_x509_secret_uuid", uuid, "Kept for old files.", later),
    key<&C::nbd_tls>("nbd_tls", any, "Whether NBD disks are encrypted."),
    key<&C::nbd_tls_x509_cert_dir>("nbd_tls_x509_cert_dir", path, "Certificates of NBD disks."),
    key<&C::nbd_tls_x509_secret_uuid>("nbd_tls_x509_secret_uuid", uuid,
                                      "The secret that decrypts their key."),
    key<&C::migrate_tls_x509_cert_dir>("migrate_tls_x509_cert_dir", path, "Certificates of migration.",
                                       later),
    key<&C::migrate_tls_x509_verify>("migrate_tls_x509_verify", any,
                                     "Whether a migration peer must show a certificate.", later),
    key<&C::migrate_tls_x509_secret_uuid>("migrate_tls_x509_secret_uuid", uuid,
                                          "The secret that decrypts its key.", later),
    key<&C::migrate_tls_force>("migrate_tls_force", any, "Whether migration without encryption is refused.",
                               later),
    key<&C::backup_tls_x509_cert_dir>("backup_tls_x509_cert_dir", path, "Certificates of backups.", later),
    key<&C::backup_tls_x509_verify>("backup_tls_x509_verify", any,
                                    "Whether a backup client must show a certificate.", later),
    key<&C::backup_tls_x509_secret_uuid>("backup_tls_x509_secret_uuid", uuid,
                                         "The secret that decrypts its key.", later),
    // graphics and audio
    key<&C::vnc_listen>("vnc_listen", filled, "Where VNC listens when a definition does not say."),
    key<&C::vnc_auto_unix_socket>("vnc_auto_unix_socket", any,
                                  "Whether VNC then listens on a socket of the guest's own folder instead."),
    key<&C::vnc_password>("vnc_password", any,
                          "VNC's password when a definition has none. VNC uses 8 bytes of it."),
    key<&C::vnc_sasl>("vnc_sasl", any, "Whether VNC asks for SASL."),
    key<&C::vnc_sasl_dir>("vnc_sasl_dir", path, "Where SASL's own configuration is."),
    key<&C::vnc_allow_host_audio>("vnc_allow_host_audio", any,
                                  "Whether a guest with VNC keeps the host's audio."),
    key<&C::spice_listen>("spice_listen", filled, "Where SPICE listens when a definition does not say."),
    key<&C::spice_auto_unix_socket>(
        "spice_auto_unix_socket", any,
        "Whether SPICE then listens on a socket of the guest's own folder instead."),
    key<&C::spice_password>("spice_password", any, "SPICE's password when a definition has none."),
    key<&C::spice_sasl>("spice_sasl", any, "Whether SPICE asks for SASL."),
    key<&C::spice_sasl_dir>("spice_sasl_dir", path, "Where SASL's own configuration is."),
    key<&C::nographics_allow_host_audio>("nographics_allow_host_audio", any,
                                         "Whether a guest without graphics keeps the host's audio."),
    key<&C::remote_display_port_min>("remote_display_port_min", {.least = 5900, .most = 65535},
                                     "The first port that displays may take."),
    key<&C::remote_display_port_max>("remote_display_port_max", {.least = 5900, .most = 65535},
                                     "The last port that displays may take."),
    key<&C::remote_websocket_port_min>("remote_websocket_port_min", {.least = 5700, .most = 65535},
                                       "The first port that VNC websockets may take."),
    key<&C::remote_websocket_port_max>("remote_websocket_port_max", {.least = 5700, .most = 65535},
                                       "The last port that VNC websockets may take."),
    // saving and memory
    key<&C::save_image_format>("save_image_format", {.choices = "raw gzip bzip2 xz lzop"},
                               "How saved guests are compressed.", later),
    key<&C::dump_image_format>("dump_image_format", {.choices = "raw gzip bzip2 xz lzop"},
                               "How core dumps are compressed.", later),
    key<&C::snapshot_image_format>("snapshot_image_format", {.choices = "raw gzip bzip2 xz lzop"},
                                   "How memory snapshots are compressed.", later),
    key<&C::allow_disk_format_probing>("allow_disk_format_probing", {.most = 0},
                                       "Kept for old files: a disk without a format is raw. 1 is refused."),
    key<&C::auto_dump_path>("auto_dump_path", path, "Where core dumps of crashed guests go.", later),
    key<&C::auto_dump_bypass_cache>("auto_dump_bypass_cache", any,
                                    "Whether they are written around the page cache.", later),
    key<&C::auto_start_bypass_cache>("auto_start_bypass_cache", any,
                                     "Whether saved guests are read around the page cache at autostart.",
                                     later),
    key<&C::hugetlbfs_mount>("hugetlbfs_mount", {.bare_string = true, .form = Form::path_or_none},
                             "Mount points of huge pages. Unset: found out. \"\": none."),
    key<&C::memory_backing_dir>(
        "memory_backing_dir", path,
        "Where file-backed guest memory lives. To a folder that is named here, libvirt/qemu is appended."),
    // processes and helpers
    key<&C::set_process_name>("set_process_name", any, "Whether QEMU's process is named after its guest."),
    key<&C::max_processes>("max_processes", any, "Processes of the user QEMU runs as. 0: inherited."),
    key<&C::max_files>("max_files", any, "Descriptors a QEMU may open. 0: inherited."),
    key<&C::max_threads_per_process>("max_threads_per_process", any,
                                     "Threads a QEMU may have. 0: inherited."),
    key<&C::max_core>("max_core", {.word = "unlimited"}, "Bytes of a QEMU core file, or \"unlimited\"."),
    key<&C::dump_guest_core>("dump_guest_core", any, "Whether a core file holds the guest's memory."),
    key<&C::stdio_handler>("stdio_handler", {.choices = "logd file"},
                           "Who takes a guest's output: cloister-logd, which bounds, rotates and escapes it, "
                           "or a plain file, which grows."),
    key<&C::bridge_helper>("bridge_helper", path, "The program that joins bridges for unprivileged guests.",
                           later),
    key<&C::pr_helper>("pr_helper", path, "The program for persistent reservations.", later),
    key<&C::slirp_helper>("slirp_helper", path, "The program for user-mode networking.", later),
    key<&C::dbus_daemon>("dbus_daemon", path, "The program for guests' D-Bus displays.", later),
    key<&C::log_timestamp>("log_timestamp", any, "Whether QEMU's own messages carry the time."),
    key<&C::gluster_debug_level>("gluster_debug_level", {.most = 9}, "How much gluster logs."),
    key<&C::virtiofsd_debug>("virtiofsd_debug", any, "Whether virtiofsd logs everything."),
    key<&C::nvram>("nvram", {.form = Form::firmware_pair},
                   "Firmware as \"CODE:VARS\" pairs. Ignored where the host has firmware descriptors."),
    key<&C::sched_core>("sched_core", {.choices = "none vcpus emulator full"},
                        "Which threads share cores with trusted ones only.", later),
    // RPC and migration
    key<&C::max_queued>("max_queued", any,
                        "How many calls that change one guest may be there at a time, the one that is served "
                        "included; one more fails at once. 0: any number."),
    key<&C::keepalive_interval>("keepalive_interval", {.signed_number = true},
                                "Seconds between pings of a peer daemon; -1: none.", later),
    key<&C::keepalive_count>("keepalive_count", any, "Pings without an answer before it is given up.", later),
    key<&C::migration_address>("migration_address", {.form = Form::far_address},
                               "Where incoming migrations listen.", later),
    key<&C::migration_host>("migration_host", {.form = Form::far_address}, "The name other hosts migrate to.",
                            later),
    key<&C::migration_port_min>("migration_port_min", port, "The first port of migrations.", later),
    key<&C::migration_port_max>("migration_port_max", port, "The last port of migrations.", later),
};

} // namespace

std::span<const Key<QemuConf>> qemu_keys() { return table; }

} // namespace cloister::settings
