#include "security/caps.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace cloister {
namespace {

/// In the order of linux/capability.h.
constexpr std::array<std::string_view, 41> capabilities{"chown",
                                                        "dac_override",
                                                        "dac_read_search",
                                                        "fowner",
                                                        "fsetid",
                                                        "kill",
                                                        "setgid",
                                                        "setuid",
                                                        "setpcap",
                                                        "linux_immutable",
                                                        "net_bind_service",
                                                        "net_broadcast",
                                                        "net_admin",
                                                        "net_raw",
                                                        "ipc_lock",
                                                        "ipc_owner",
                                                        "sys_module",
                                                        "sys_rawio",
                                                        "sys_chroot",
                                                        "sys_ptrace",
                                                        "sys_pacct",
                                                        "sys_admin",
                                                        "sys_boot",
                                                        "sys_nice",
                                                        "sys_resource",
                                                        "sys_time",
                                                        "sys_tty_config",
                                                        "mknod",
                                                        "lease",
                                                        "audit_write",
                                                        "audit_control",
                                                        "setfcap",
                                                        "mac_override",
                                                        "mac_admin",
                                                        "syslog",
                                                        "wake_alarm",
                                                        "block_suspend",
                                                        "audit_read",
                                                        "perfmon",
                                                        "bpf",
                                                        "checkpoint_restore"};

std::uint64_t all(std::uint32_t last) {
    return last >= 63 ? ~std::uint64_t{0} : (std::uint64_t{1} << (last + 1)) - 1;
}

} // namespace

Result<std::uint64_t> capability_bits(const std::vector<std::string>& names, std::uint32_t last) {
    std::uint64_t bits = 0;
    for (std::string name : names) {
        std::ranges::transform(name, name.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        if (name == "all") {
            bits |= all(last);
            continue;
        }
        const auto bare = std::string_view(name).substr(name.starts_with("cap_") ? 4 : 0);
        const auto* const at = std::ranges::find(capabilities, bare);
        if (at == capabilities.end())
            return fail(Code::config_unsupported, tr("unknown capability '{0}'", name));
        bits |= std::uint64_t{1} << (at - capabilities.begin());
    }
    return bits & all(last);
}

std::string capability_names(std::uint64_t bits, std::uint32_t last) {
    if (bits == 0) return "none";
    if (bits == all(last)) return "all";
    std::string out;
    for (std::size_t bit = 0; bit < 64; ++bit) {
        if (((bits >> bit) & 1) == 0) continue;
        out += out.empty() ? "" : ", ";
        out += bit < capabilities.size() ? std::string(capabilities.at(bit)) : std::to_string(bit);
    }
    return out;
}

} // namespace cloister
