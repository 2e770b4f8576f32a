/// What qemu.conf says, as a value: the driver's settings with their defaults.
/// Source: facts/behaviour.md C.2.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// The folders and files of one daemon; a private daemon (tests, demo) moves them all below one root.
struct Folders {
    std::string definitions = "/etc/cloister/qemu";
    std::string autostart = "/etc/cloister/qemu/autostart";
    std::string state = "/var/lib/cloister/qemu"; ///< domain-ID-NAME, channel/target, nvram, save …
    std::string cache = "/var/cache/cloister/qemu";
    std::string runtime = "/run/cloister/qemu"; ///< status files, monitors
    std::string log = "/var/log/cloister/qemu";
    std::string undo = "/var/lib/cloister/undo";
    bool operator==(const Folders&) const = default;
};

struct QemuConf {
    std::string file = "qemu.conf";     ///< where it was read, for messages
    std::map<std::string, int> lines{}; ///< of each key that the file sets: its line
    // security
    std::optional<std::vector<std::string>> security_driver{};
    bool security_default_confined = true;
    bool security_require_confined = false;
    std::string user = "libvirt-qemu", group = "libvirt-qemu"; ///< name, number or "+N"
    bool dynamic_ownership = true;
    bool remember_owner = true;
    std::string ownership = "chown"; ///< how a guest gets at its files: "chown", "idmap"
    std::optional<std::vector<std::string>> cgroup_controllers{};
    std::vector<std::string> cgroup_device_acl{"/dev/null",    "/dev/full", "/dev/zero", "/dev/random",
                                               "/dev/urandom", "/dev/ptmx", "/dev/kvm"};
    std::vector<std::string> backing_chain_paths{};
    int seccomp_sandbox = -1;
    std::optional<std::vector<std::string>> namespaces{};
    bool relaxed_acs_check = false;
    bool mac_filter = false;
    bool clear_emulator_capabilities = true;
    std::string lock_manager = "nop";
    std::string swtpm_user = "tss", swtpm_group = "tss";
    std::vector<std::string> capability_filters{};
    std::string deprecation_behavior = "none";
    // TLS
    std::optional<std::string> default_tls_x509_cert_dir{}, default_tls_x509_secret_uuid{};
    std::optional<bool> default_tls_x509_verify{};
    std::optional<std::string> vnc_tls_x509_cert_dir{}, spice_tls_x509_cert_dir{},
        chardev_tls_x509_cert_dir{}, nbd_tls_x509_cert_dir{}, vxhs_tls_x509_cert_dir{},
        migrate_tls_x509_cert_dir{}, backup_tls_x509_cert_dir{};
    std::optional<std::string> vnc_tls_x509_secret_uuid{}, chardev_tls_x509_secret_uuid{},
        nbd_tls_x509_secret_uuid{}, vxhs_tls_x509_secret_uuid{}, migrate_tls_x509_secret_uuid{},
        backup_tls_x509_secret_uuid{};
    std::optional<bool> vnc_tls_x509_verify{}, chardev_tls_x509_verify{}, migrate_tls_x509_verify{},
        backup_tls_x509_verify{};
    bool vnc_tls = false, spice_tls = false, chardev_tls = false, vxhs_tls = false, nbd_tls = false,
         migrate_tls_force = false;
    // graphics and audio
    std::string vnc_listen = "127.0.0.1", spice_listen = "127.0.0.1";
    bool vnc_auto_unix_socket = false, spice_auto_unix_socket = false;
    std::optional<std::string> vnc_password{}, spice_password{}, vnc_sasl_dir{}, spice_sasl_dir{};
    bool vnc_sasl = false, spice_sasl = false;
    bool vnc_allow_host_audio = false, nographics_allow_host_audio = false;
    unsigned remote_display_port_min = 5900, remote_display_port_max = 65535;
    unsigned remote_websocket_port_min = 5700, remote_websocket_port_max = 65535;
    // memory, saving
    std::string save_image_format = "raw", dump_image_format = "raw", snapshot_image_format = "raw";
    std::string auto_dump_path = "/var/lib/cloister/qemu/dump";
    bool allow_disk_format_probing = false; ///< only false: libvirt has given it up, too
    bool auto_dump_bypass_cache = false, auto_start_bypass_cache = false;
    std::optional<std::vector<std::string>> hugetlbfs_mount{};
    std::string memory_backing_dir = "/var/lib/cloister/qemu/ram";
    // process
    bool set_process_name = false;
    unsigned max_processes = 0, max_files = 0, max_threads_per_process = 0; ///< 0: inherited
    std::uint64_t max_core = 0;                                             ///< UINT64_MAX: "unlimited"
    bool dump_guest_core = false;
    std::string stdio_handler = "logd";
    std::string bridge_helper = "/usr/lib/qemu/qemu-bridge-helper", pr_helper = "/usr/bin/qemu-pr-helper",
                slirp_helper = "/usr/bin/slirp-helper", dbus_daemon = "/usr/bin/dbus-daemon";
    bool log_timestamp = true;
    unsigned gluster_debug_level = 4;
    bool virtiofsd_debug = false;
    std::vector<std::string> nvram{///< "CODE:VARS"
                                   "/usr/share/OVMF/OVMF_CODE.fd:/usr/share/OVMF/OVMF_VARS.fd",
                                   "/usr/share/OVMF/OVMF_CODE.secboot.fd:/usr/share/OVMF/OVMF_VARS.fd",
                                   "/usr/share/AAVMF/AAVMF_CODE.fd:/usr/share/AAVMF/AAVMF_VARS.fd",
                                   "/usr/share/AAVMF/AAVMF32_CODE.fd:/usr/share/AAVMF/AAVMF32_VARS.fd"};
    std::string sched_core = "none";
    // migration and RPC
    unsigned max_queued = 0;
    int keepalive_interval = 5;
    unsigned keepalive_count = 5;
    std::optional<std::string> migration_address{}, migration_host{};
    unsigned migration_port_min = 49152, migration_port_max = 49215;
    bool operator==(const QemuConf&) const = default;
};

} // namespace cloister
