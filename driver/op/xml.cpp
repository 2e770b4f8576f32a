#include "driver/op/xml.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/op/find.hpp"

#include <algorithm>

namespace cloister {

namespace {

/// Without the labels that the start chose by itself: another host has another user for its guests, and
/// other labels to give.
Domain for_another_host(Domain live, const Domain& written) {
    for (const std::string_view model : {"dac", "selinux", "apparmor"}) {
        const auto of_it = [&](const SecLabel& label) { return label.model == model; };
        if (std::ranges::none_of(written.seclabels, of_it)) std::erase_if(live.seclabels, of_it);
    }
    return live;
}

} // namespace

Task<Result<DomainGetXmlDesc::Out>> DomainGetXmlDesc::run(Call call, In in) {
    constexpr std::uint32_t secure = 1, inactive = 2, update_cpu = 4, migratable = 8;
    CO_CHECK(check_flags(in.flags, secure | inactive | update_cpu | migratable, "qemuDomainGetXMLDesc"));
    if (call.caller.read_only && (in.flags & (secure | migratable)))
        co_return refuse(Code::operation_denied, tr("virDomainGetXMLDesc with secure flag"),
                         ErrorDomain::dom);
    CO_TRY(guest, find(call, in.dom));
    const bool live = guest->live && !(in.flags & inactive);
    const auto& domain = live ? guest->live : guest->definition;
    // Clients poll this. The text of a Domain value never changes, so it is kept until the value is another
    // one.
    auto& kept = guest->texts[in.flags];
    if (kept.first != domain) {
        const xml::Style style{.flavour = live ? xml::Flavour::live : xml::Flavour::inactive,
                               .secure = (in.flags & (secure | migratable)) != 0,
                               .migratable = (in.flags & migratable) != 0};
        kept = {domain, live && style.migratable
                            ? print_domain(for_another_host(*domain, *guest->definition), style)
                            : print_domain(*domain, style)};
    }
    co_return Out{{kept.second}};
}

} // namespace cloister
