/// The access policy of a daemon: who has to authenticate, and who decides about single operations. Asking is
/// asynchronous; what is asked, and what an answer means, is here, the asking itself elsewhere (daemon/dbus).
/// Source: facts/protocol.md 4; polkit's D-Bus interface org.freedesktop.PolicyKit1.Authority.
#pragma once

#include "conf/settings/daemon_conf.hpp"
#include "driver/op/call.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cloister::acl {

/// What an administrator's rule may look at, beside the action.
using Details = std::vector<std::pair<std::string, std::string>>;

struct Question {
    Caller who{};
    std::string action{};     ///< "org.libvirt.api.domain.start"
    Details details{};        ///< "connect_driver", "domain_name", "domain_uuid"
    bool interactive = false; ///< a person may be asked for a password: the answer takes its time
};
enum class Verdict {
    yes,
    no,
    needs_agent, ///< somebody would have to authenticate, and nothing is there that could ask them
    dismissed,   ///< who was asked did not want to
};
/// Answers questions. Errors: why it cannot be asked.
using Authority = std::function<Task<Result<Verdict>>(Question)>;

struct Policy {
    bool authenticate_rw = false, authenticate_ro = false; ///< clients of the socket, other than root
    bool fine_grained = false;                             ///< every permission of a call is asked for
    Authority authority{};                                 ///< empty: whatever would be asked is refused
};
/// What cloisterd.conf says.
Policy policy(const DaemonConf& conf, Authority authority);

/// Whether this caller has to authenticate before anything else. Root never has.
bool must_authenticate(const Policy& policy, const Caller& caller);

/// Asks whether the caller may use its socket: org.libvirt.unix.manage, or monitor when it only looks. May
/// wait for a person. Errors, with libvirt's codes: auth_failed, auth_cancelled, auth_unavailable.
Task<Result<>> authenticated(std::shared_ptr<const Policy> policy, Caller caller);

/// What the caller may do. Null: everything (root). Of others every libvirt permission is asked for when the
/// policy is fine-grained, and our own (object "cloister") always.
std::shared_ptr<const Rights> rights(std::shared_ptr<const Policy> policy, Caller caller);

/// The action of a permission: {"domain", "send_input"} -> "org.libvirt.api.domain.send-input";
/// {"cloister", "passthrough"} -> "org.cloister.domain.passthrough".
std::string action(const Permission& permission);
Details details(const DomainIdentity& about);

} // namespace cloister::acl
