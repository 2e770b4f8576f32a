#include "conf/settings/keys.hpp"

#include <array>

namespace cloister::settings {
namespace {

using C = DaemonConf;
constexpr auto later = Effect::none_yet;
constexpr Range any{};
constexpr Range positive{.least = 1, .most = 1000000};

constexpr std::array table{
    key<&C::unix_sock_dir>("unix_sock_dir", any,
                           "Where the sockets are: cloister-sock and cloister-sock-ro."),
    key<&C::unix_sock_group>("unix_sock_group", any, "The group that owns the sockets."),
    key<&C::unix_sock_ro_perms>("unix_sock_ro_perms", any, "The mode of the read-only socket."),
    key<&C::unix_sock_rw_perms>("unix_sock_rw_perms", any, "The mode of the read-write socket."),
    key<&C::unix_sock_admin_perms>("unix_sock_admin_perms", any,
                                   "Kept for old files: there is no admin socket.", later),
    key<&C::auth_unix_ro>("auth_unix_ro", {.choices = "none polkit"}, "Who may use the read-only socket.",
                          later),
    key<&C::auth_unix_rw>("auth_unix_rw", {.choices = "none polkit"}, "Who may use the read-write socket.",
                          later),
    key<&C::access_drivers>("access_drivers", {.choices = "polkit none"},
                            "Who decides about single operations.", later),
    key<&C::listen_libvirt_names>(
        "listen_libvirt_names", any,
        "Whether to serve /run/libvirt/virtqemud-sock and libvirt-sock too, when nothing else does.", later),
    key<&C::max_clients>("max_clients", positive, "How many clients may be connected."),
    key<&C::max_queued_clients>("max_queued_clients", positive, "How many more may wait."),
    key<&C::max_anonymous_clients>("max_anonymous_clients", positive,
                                   "How many of them may be unauthenticated.", later),
    key<&C::min_workers>("min_workers", positive, "Kept for old files: calls are served without workers.",
                         later),
    key<&C::max_workers>("max_workers", positive, "Threads for blocking work."),
    key<&C::prio_workers>("prio_workers", positive, "Kept for old files.", later),
    key<&C::max_client_requests>("max_client_requests", positive, "Calls of one client served at a time."),
    key<&C::log_level>("log_level", {.least = 1, .most = 4}, "1 debug, 2 information, 3 warnings, 4 errors."),
    key<&C::log_filters>("log_filters", any, "Levels of single parts: \"LEVEL:part …\".", later),
    key<&C::log_outputs>("log_outputs", any,
                         "Where the log goes: \"LEVEL:stderr\", \"LEVEL:file:PATH\", \"LEVEL:journald\".",
                         later),
    key<&C::audit_level>("audit_level", {.most = 2}, "Whether changes are reported to the audit system.",
                         later),
    key<&C::audit_logging>("audit_logging", any, "Whether they are logged too.", later),
    key<&C::host_uuid>("host_uuid", any, "This host's uuid."),
    key<&C::host_uuid_source>("host_uuid_source", {.choices = "smbios machine-id"},
                              "Where it comes from otherwise."),
    key<&C::keepalive_interval>("keepalive_interval", {.most = 86400, .signed_number = true},
                                "Seconds between pings of a silent client; -1: none."),
    key<&C::keepalive_count>("keepalive_count", any, "Pings without an answer before a client is dropped."),
    key<&C::ovs_timeout>("ovs_timeout", any, "Seconds to wait for Open vSwitch.", later),
    key<&C::state_root>("state_root", any,
                        "Every folder of the driver moves below this one (private daemons)."),
    key<&C::allowed_paths>("allowed_paths", any, "What clients other than root may name in a definition.",
                           later),
    key<&C::allowed_emulators>("allowed_emulators", any,
                               "The emulators that clients other than root may name.", later),
};

} // namespace

std::span<const Key<DaemonConf>> daemon_keys() { return table; }

} // namespace cloister::settings
