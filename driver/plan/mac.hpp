/// Which mandatory access control confines a guest, and under which label. Pure.
/// Source: facts/behaviour.md A.31, A.4, A.5.
#pragma once

#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/reserved.hpp"

#include <string>
#include <string_view>

namespace cloister {

/// "selinux", "apparmor" or "none": what qemu.conf's security_driver names and the host has in force; when it
/// says nothing, what the host has.
std::string_view mac_model(const QemuConf& conf, const HostFacts& facts);

struct MacLabels {
    std::string_view model = "none";
    std::string process{};     ///< a context or a profile; empty: that model does not confine the guest
    std::string image{};       ///< SELinux: of what is the guest's alone
    bool relabel = false;      ///< SELinux: the host's files are labelled for it
    bool make_profile = false; ///< AppArmor: it is ours to write
    std::string why{};
    bool operator==(const MacLabels&) const = default;
};
/// A guest that runs has its labels in its definition already. Errors: config_unsupported for a label that is
/// none, for a policy without contexts of guests, and for a guest that security_require_confined forbids.
Result<MacLabels> mac_labels(const Domain& domain, const QemuConf& conf, const HostFacts& facts,
                             const Reserved& reserved);

/// The <seclabel> of a security model; null: none.
const SecLabel* label_of(const Domain& domain, std::string_view model);
/// A single <seclabel type='none'/> without a model speaks of all; null: there is none.
const SecLabel* modelless_none(const Domain& domain);

} // namespace cloister
