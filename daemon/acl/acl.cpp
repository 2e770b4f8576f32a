#include "daemon/acl/acl.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace cloister::acl {
namespace {

bool only_looks(const call::Need& need) {
    return need.permission == "getattr" || need.permission == "read" ||
           need.permission.starts_with("search_");
}

/// Where the reference's check differs from its permissions (measured over every procedure on libvirt 9.0).
constexpr std::array denied_anyway = {std::string_view("DOMAIN_SET_SCHEDULER_PARAMETERS"),
                                      std::string_view("NODE_GET_SEV_INFO"),
                                      std::string_view("DOMAIN_GET_LAUNCH_SECURITY_INFO")};
constexpr std::array allowed_anyway = {std::string_view("DOMAIN_MIGRATE_GET_COMPRESSION_CACHE"),
                                       std::string_view("DOMAIN_MIGRATE_GET_MAX_DOWNTIME"),
                                       std::string_view("CONNECT_SET_IDENTITY")};

ErrorDomain error_domain(const Route& route) {
    if (route.program != call::remote_program) return ErrorDomain::none;
    const auto api = route.procedure->api;
    if (api.starts_with("virDomainSnapshot") || api == "virDomainRevertToSnapshot")
        return ErrorDomain::domain_snapshot;
    if (api.starts_with("virDomainCheckpoint")) return ErrorDomain::domain_checkpoint;
    return ErrorDomain::domain;
}

std::unexpected<Error> denied(const Route& route, bool for_secrets) {
    const auto& procedure = *route.procedure;
    const auto name = procedure.api.empty() ? procedure.name : procedure.api;
    auto message = for_secrets ? tr("{0} with secure flag", name) : tr("read only access prevents {0}", name);
    return std::unexpected(
        Error{.code = Code::operation_denied, .message = std::move(message), .domain = error_domain(route)});
}

} // namespace

bool applies(const call::Need& need, const Conditions& given) {
    switch (need.when) {
    case call::When::always: return true;
    case call::When::flag_set: return (given.flags & need.value) != 0;
    case call::When::flag_clear: return (given.flags & need.value) == 0;
    case call::When::parameter: return given.source == need.value;
    }
    return true;
}

Result<> read_only_check(const Route& route, const Conditions& given) {
    const auto& procedure = *route.procedure;
    if (std::ranges::count(allowed_anyway, procedure.name) > 0) return {};
    if (std::ranges::count(denied_anyway, procedure.name) > 0) return denied(route, false);
    for (const auto& need : procedure.needs)
        if (applies(need, given) && !only_looks(need)) return denied(route, need.permission == "read_secure");
    return {};
}

bool about_a_domain(const Route& route) {
    return std::ranges::any_of(route.procedure->needs,
                               [](const call::Need& need) { return need.object == "domain"; });
}

Task<Result<Call>> admitted(Call call, Route route, Conditions given, Mentioned mentioned) {
    if (call.caller.read_only) CO_CHECK(read_only_check(route, given));
    if (!call.rights) co_return call;
    // Our own procedures may name a domain without needing a permission for it; the operation asks then.
    if (about_a_domain(route) || (mentioned.uuid && !mentioned.xml)) {
        CO_TRY(about, identity(*call.driver, mentioned));
        call.about = about;
    }
    for (const auto& need : route.procedure->needs) {
        if (!applies(need, given)) continue;
        const Permission what{need.object, need.permission};
        const auto about = need.object == "domain" ? call.about : DomainIdentity();
        CO_CHECK(co_await call.rights->may(what, about));
    }
    co_return call;
}

} // namespace cloister::acl
