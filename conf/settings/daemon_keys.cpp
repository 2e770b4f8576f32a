#include "conf/settings/keys.hpp"

#include <algorithm>
#include <array>

namespace cloister::settings {
namespace {

using C = DaemonConf;
constexpr auto later = Effect::none_yet;
constexpr Range any{};
constexpr Range positive{.least = 1, .most = 1000000}, threads{.least = 1, .most = 1000};
constexpr Range filled{.form = Form::filled}, path{.form = Form::path}, mode{.form = Form::octal_mode},
    uuid{.form = Form::uuid};

constexpr std::array table{
    key<&C::unix_sock_dir>("unix_sock_dir", path,
                           "Where the sockets are: cloister-sock and cloister-sock-ro."),
    key<&C::unix_sock_group>("unix_sock_group", filled, "The group that owns the sockets."),
    key<&C::unix_sock_ro_perms>("unix_sock_ro_perms", mode, "The mode of the read-only socket."),
    key<&C::unix_sock_rw_perms>(
        "unix_sock_rw_perms", mode,
        "The mode of the read-write socket. Default: 0777 where polkit decides who may "
        "use it (auth_unix_rw), else 0700."),
    key<&C::unix_sock_admin_perms>("unix_sock_admin_perms", mode,
                                   "Kept for old files: there is no admin socket.", later),
    key<&C::auth_unix_ro>("auth_unix_ro", {.choices = "none polkit"},
                          "Who may use the read-only socket: \"polkit\" asks for the action "
                          "org.libvirt.unix.monitor, \"none\" leaves it to the mode and the group of the "
                          "socket. Root is never asked."),
    key<&C::auth_unix_rw>("auth_unix_rw", {.choices = "none polkit"},
                          "Who may use the read-write socket, likewise: org.libvirt.unix.manage."),
    key<&C::access_drivers>(
        "access_drivers", {.choices = "polkit none"},
        "Who decides about single operations. With \"polkit\" every call of a client other "
        "than root is asked for as org.libvirt.api.OBJECT.PERMISSION, with the domain's name "
        "and uuid as details; lists and events leave out what may not be seen."),
    key<&C::listen_libvirt_names>(
        "listen_libvirt_names", any,
        "Whether to serve /run/libvirt/virtqemud-sock and libvirt-sock too, when nothing else does."),
    key<&C::max_clients>("max_clients", positive, "How many clients may be connected."),
    key<&C::max_queued_clients>("max_queued_clients", positive, "How many more may wait."),
    key<&C::max_anonymous_clients>(
        "max_anonymous_clients", positive,
        "How many of them may be unauthenticated: a further one is refused, unless "
        "it is root's."),
    key<&C::min_workers>("min_workers", positive, "Kept for old files: calls are served without workers.",
                         later),
    key<&C::max_workers>("max_workers", threads, "Threads for blocking work."),
    key<&C::prio_workers>("prio_workers", positive, "Kept for old files.", later),
    key<&C::max_client_requests>("max_client_requests", positive, "Calls of one client served at a time."),
    key<&C::log_level>("log_level", {.least = 1, .most = 4}, "1 debug, 2 information, 3 warnings, 4 errors."),
    key<&C::log_filters>("log_filters", any,
                         "Levels of single parts, as words \"LEVEL:PART\": a line that comes from a file of "
                         "the source tree whose path contains PART (\"driver/qmp\", \"daemon\") is kept from "
                         "that level on, instead of log_level. The first that fits counts."),
    key<&C::log_outputs>(
        "log_outputs", any,
        "Where the log goes, as words: \"LEVEL:stderr\", \"LEVEL:file:PATH\", \"LEVEL:syslog:NAME\", "
        "\"LEVEL:journald\". Nothing: to standard error, or what stands for it under systemd."),
    key<&C::guest_log_max_size>("guest_log_max_size", {.least = 65536, .most = std::uint64_t{1} << 40},
                                "Bytes of a guest's log before cloister-logd rotates it (qemu.conf "
                                "stdio_handler = \"logd\")."),
    key<&C::guest_log_max_backups>("guest_log_max_backups", {.most = 16},
                                   "How many rotated logs are kept: NAME.log.0 is the newest."),
    key<&C::audit_level>("audit_level", {.most = 2}, "Whether changes are reported to the audit system.",
                         later),
    key<&C::audit_logging>("audit_logging", any, "Whether they are logged too.", later),
    key<&C::host_uuid>("host_uuid", uuid, "This host's uuid."),
    key<&C::host_uuid_source>("host_uuid_source", {.choices = "smbios machine-id"},
                              "Where it comes from otherwise."),
    key<&C::keepalive_interval>("keepalive_interval", {.most = 86400, .signed_number = true},
                                "Seconds between pings of a silent client; -1: none."),
    key<&C::keepalive_count>("keepalive_count", any, "Pings without an answer before a client is dropped."),
    key<&C::ovs_timeout>("ovs_timeout", any, "Seconds to wait for Open vSwitch.", later),
    key<&C::dbus_address>("dbus_address", any,
                          "The message bus where polkit and systemd-machined are asked and where our own "
                          "services are, in D-Bus's notation (\"unix:path=/run/dbus/system_bus_socket\"). "
                          "Empty: the system bus; a daemon with a state_root then uses none."),
    key<&C::dbus_org_libvirt>(
        "dbus_org_libvirt", {.choices = "auto yes no"},
        "Whether to serve the name org.libvirt, which desktop tools call, instead of libvirt-dbus. \"auto\": "
        "when nobody has it at our start. \"yes\": also later, as soon as its owner gives it up. It is never "
        "taken from anybody; the log says who has it."),
    key<&C::dbus_org_cloister>(
        "dbus_org_cloister", any,
        "Whether to serve the name org.cloister1: explanations, confinement, denials."),
    key<&C::state_root>("state_root", {.form = Form::path_or_none},
                        "Every folder of the driver moves below this one (private daemons)."),
    key<&C::allowed_paths>(
        "allowed_paths", path,
        "What clients other than root may name in a definition or a device: these files and "
        "what is below these folders, after links have been followed: when it is named, and again "
        "at every start, with what images stand on. [ \"/\" ] leaves it to them, as libvirt does: "
        "then they can read and write every file through a guest."),
    key<&C::allowed_emulators>("allowed_emulators", path,
                               "The emulators that clients other than root may name; another one needs the "
                               "polkit action org.cloister.domain.emulator. An empty list: those of the "
                               "distribution, /usr/bin/qemu-system-*."),
};

} // namespace

std::span<const Key<DaemonConf>> daemon_keys() { return table; }

std::string_view other_daemons_key(std::string_view name) {
    constexpr std::string_view network[]{"listen_tls",
                                         "listen_tcp",
                                         "tls_port",
                                         "tcp_port",
                                         "listen_addr",
                                         "auth_tls",
                                         "auth_tcp",
                                         "tls_no_sanity_certificate",
                                         "tls_no_verify_certificate",
                                         "key_file",
                                         "cert_file",
                                         "ca_file",
                                         "crl_file",
                                         "tls_allowed_dn_list",
                                         "tls_priority",
                                         "tcp_min_ssf",
                                         "mdns_adv",
                                         "mdns_name"};
    if (std::ranges::count(network, name)) return "this daemon listens on UNIX sockets only";
    if (name.starts_with("admin_")) return "this daemon has no admin socket";
    if (name.starts_with("sasl_")) return "this daemon does not authenticate by SASL";
    return {};
}

} // namespace cloister::settings
