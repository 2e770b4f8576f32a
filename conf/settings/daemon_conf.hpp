/// What cloisterd.conf says, as a value: sockets, modes, authentication, limits, log.
/// Source: facts/behaviour.md C.3 (the keys of virtqemud.conf) and our own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct DaemonConf {
    std::string file = "cloisterd.conf"; ///< where it was read, for messages
    std::map<std::string, int> lines{};  ///< of each key that the file sets: its line
    std::string unix_sock_dir = "/run/cloister";
    std::optional<std::string> unix_sock_group{};
    std::string unix_sock_ro_perms = "0777", unix_sock_admin_perms = "0700";
    std::optional<std::string> unix_sock_rw_perms{};              ///< absent: as rw_perms() says
    std::string auth_unix_ro = "polkit", auth_unix_rw = "polkit"; ///< none | polkit
    std::vector<std::string> access_drivers{};
    bool listen_libvirt_names = false;
    unsigned max_clients = 5000, max_queued_clients = 1000, max_anonymous_clients = 20;
    unsigned min_workers = 5, max_workers = 20, prio_workers = 5;
    unsigned max_client_requests = 5;
    unsigned log_level = 3; ///< 1 debug … 4 error
    std::string log_filters{}, log_outputs{};
    std::uint64_t guest_log_max_size = 2097152; ///< bytes of a guest's log before it is rotated
    unsigned guest_log_max_backups = 3;
    unsigned audit_level = 1;
    bool audit_logging = false;
    std::optional<std::string> host_uuid{};
    std::string host_uuid_source = "smbios";
    int keepalive_interval = 5;
    unsigned keepalive_count = 5;
    unsigned ovs_timeout = 5;
    std::string dbus_address{}; ///< of the message bus; empty: the system bus, and none for a private daemon
    std::string dbus_org_libvirt = "auto"; ///< auto | yes | no: whether to serve the name org.libvirt
    bool dbus_org_cloister = true;         ///< whether to serve the name org.cloister1
    std::string
        state_root{}; ///< every folder of the driver moves below it (tests, demo); empty: the system's
    /// Where images, firmware and what every guest may use are on a Debian host; "/": everything.
    std::vector<std::string> allowed_paths{"/var/lib/libvirt/images",
                                           "/var/lib/libvirt/boot",
                                           "/var/lib/libvirt/qemu/nvram",
                                           "/var/lib/cloister/images",
                                           "/var/lib/cloister/qemu/nvram",
                                           "/usr/share/OVMF",
                                           "/usr/share/AAVMF",
                                           "/usr/share/qemu",
                                           "/usr/share/seabios",
                                           "/dev/urandom",
                                           "/dev/random",
                                           "/dev/hwrng",
                                           "/dev/net/tun",
                                           "/dev/vhost-net"};
    std::vector<std::string> allowed_emulators{};
    bool operator==(const DaemonConf&) const = default;

    /// The mode of the read-write socket: everybody may knock where polkit decides who comes in.
    std::string rw_perms() const {
        return unix_sock_rw_perms.value_or(auth_unix_rw == "polkit" ? "0777" : "0700");
    }
};

} // namespace cloister
