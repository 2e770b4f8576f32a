/// What the launch helper does, as a value: the daemon writes it into a sealed memory file, cloister-confine
/// reads it from there. Plain length-prefixed bytes: the helper links nothing that could read more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

struct ScriptLimit {
    int resource = 0; ///< RLIMIT_…
    std::uint64_t value = 0;
    bool operator==(const ScriptLimit&) const = default;
};

struct Script {
    bool mount_namespace = true;
    std::vector<std::string> dev_submounts{}; ///< kept in the private /dev
    std::uint32_t umask = 002;
    std::vector<ScriptLimit> limits{};
    bool set_ids = true;
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::uint32_t> groups{};
    std::uint64_t kept_capabilities = 0; ///< bits
    std::uint32_t last_capability = 40;
    bool clear_capabilities = true;
    bool no_new_privs = true;
    std::string seccomp{}; ///< struct sock_filter[], as exported by libseccomp; empty: none
    bool landlock = false;
    std::uint64_t landlock_fs = 0;    ///< handled_access_fs
    std::uint64_t landlock_allow = 0; ///< of these, allowed everywhere
    std::uint64_t landlock_scoped = 0;
    std::string selinux_exec{};  ///< the context that QEMU gets; empty: the policy decides
    std::string selinux_dev{};   ///< of all that is in the private /dev; empty: the policy decides
    std::string apparmor_exec{}; ///< the profile that QEMU gets; empty: none
    std::string program{};
    std::vector<std::string> argv{}, env{};
    bool operator==(const Script&) const = default;
};

std::string encode(const Script& script);
/// Absent when the bytes are not one whole script.
std::optional<Script> decode_script(std::string_view bytes);

} // namespace cloister
