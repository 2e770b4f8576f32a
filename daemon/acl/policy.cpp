#include "daemon/acl/policy.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>

namespace cloister::acl {
namespace {

std::unexpected<Error> refusal(Code code, std::string message, ErrorDomain domain = ErrorDomain::polkit) {
    return std::unexpected(Error{.code = code, .message = std::move(message), .domain = domain});
}

bool is_ours(const Permission& permission) { return permission.object == "cloister"; }

Task<Result<Verdict>> asked(std::shared_ptr<const Policy> policy, Question question) {
    if (!policy->authority) co_return fail(Code::auth_unavailable, tr("polkit cannot be asked"));
    co_return co_await policy->authority(std::move(question));
}

class AskedRights final : public Rights {
public:
    AskedRights(std::shared_ptr<const Policy> policy, Caller caller)
        : policy_(std::move(policy)), caller_(caller) {}

    Task<Result<>> may(Permission what, DomainIdentity about) const override {
        if (!is_ours(what) && !policy_->fine_grained) co_return Result<>();
        Question question{.who = caller_, .action = action(what), .details = details(about)};
        const auto name = question.action;
        auto verdict = co_await asked(policy_, std::move(question));
        if (verdict && *verdict == Verdict::yes) co_return Result<>();
        if (!verdict)
            co_return refusal(Code::access_denied,
                              tr("the action '{0}' was not allowed: {1}", name, full_text(verdict.error())),
                              ErrorDomain::access);
        if (is_ours(what))
            co_return refusal(Code::access_denied, tr("the action '{0}' is not allowed", name),
                              ErrorDomain::access);
        co_return refusal(Code::access_denied, tr("'{0}' denied access", "QEMU"), ErrorDomain::access);
    }

private:
    std::shared_ptr<const Policy> policy_;
    Caller caller_;
};

} // namespace

Policy policy(const DaemonConf& conf, Authority authority) {
    return {.authenticate_rw = conf.auth_unix_rw == "polkit",
            .authenticate_ro = conf.auth_unix_ro == "polkit",
            .fine_grained = std::ranges::count(conf.access_drivers, "polkit") > 0,
            .authority = std::move(authority)};
}

bool must_authenticate(const Policy& policy, const Caller& caller) {
    return caller.uid != 0 && (caller.read_only ? policy.authenticate_ro : policy.authenticate_rw);
}

Task<Result<>> authenticated(std::shared_ptr<const Policy> policy, Caller caller) {
    Question question{.who = caller,
                      .action = caller.read_only ? "org.libvirt.unix.monitor" : "org.libvirt.unix.manage",
                      .interactive = true};
    const auto name = question.action;
    auto verdict = co_await asked(std::move(policy), std::move(question));
    if (!verdict) co_return refusal(Code::auth_unavailable, full_text(verdict.error()));
    switch (*verdict) {
    case Verdict::yes: co_return Result<>();
    case Verdict::no: break;
    case Verdict::needs_agent:
        co_return refusal(Code::auth_unavailable,
                          tr("no polkit agent available to authenticate action '{0}'", name));
    case Verdict::dismissed:
        co_return refusal(Code::auth_cancelled, tr("user cancelled authentication process"));
    }
    co_return refusal(Code::auth_failed, tr("access denied by policy"));
}

std::shared_ptr<const Rights> rights(std::shared_ptr<const Policy> policy, Caller caller) {
    if (caller.uid == 0 || !policy) return nullptr;
    return std::make_shared<AskedRights>(std::move(policy), caller);
}

std::string action(const Permission& permission) {
    auto out = is_ours(permission) ? "org.cloister.domain." + std::string(permission.permission)
                                   : "org.libvirt.api." + std::string(permission.object) + "." +
                                         std::string(permission.permission);
    std::ranges::replace(out, '_', '-');
    return out;
}

Details details(const DomainIdentity& about) {
    Details out{{"connect_driver", "QEMU"}};
    if (!about.name.empty()) out.emplace_back("domain_name", about.name);
    if (about.uuid) out.emplace_back("domain_uuid", printed(*about.uuid));
    return out;
}

} // namespace cloister::acl
