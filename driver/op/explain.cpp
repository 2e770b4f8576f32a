#include "driver/op/explain.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/define.hpp"
#include "driver/launch.hpp"
#include "driver/op/find.hpp"
#include "security/explain.hpp"
#include "security/report.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace cloister {

namespace {

Result<call::Format> format_of(std::int32_t number, call::Format last) {
    if (number < 0 || number > static_cast<std::int32_t>(last))
        return refuse(Code::invalid_arg, tr("unknown format {0}", number));
    return static_cast<call::Format>(number);
}

std::string explained(const LaunchPlan& plan, call::Format format) {
    switch (format) {
    case call::Format::text: return explained_text(plan);
    case call::Format::json: return boost::json::serialize(explained_json(plan)) + "\n";
    case call::Format::argv: return explained_argv(plan);
    }
    return {};
}

} // namespace

Task<Result<Explain::Out>> Explain::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "cloisterExplain"));
    CO_TRY(format, format_of(in.format, call::Format::argv));
    if (in.xml.has_value() == in.dom.has_value())
        co_return refuse(Code::invalid_arg, tr("explain takes either a definition or a domain"));
    std::shared_ptr<const Domain> domain;
    bool bounded = call.rights != nullptr;
    if (in.xml) {
        CO_TRY(definition, co_await complete_definition(call, in.xml->value));
        domain = definition;
    } else {
        CO_TRY(guest, find(call, *in.dom));
        constexpr Permission read{"domain", "read"};
        if (call.rights) CO_CHECK(co_await call.rights->may(read, call.about));
        if (guest->running && !guest->running->plan.items.empty())
            co_return Out{{explained(guest->running->plan, format)}};
        domain = guest->definition;
        bounded = guest->bounded;
    }
    CO_TRY(plan, co_await planned(*call.driver, domain, bounded));
    co_return Out{{explained(plan, format)}};
}

Task<Result<ShowConfinement::Out>> ShowConfinement::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "cloisterConfinement"));
    CO_TRY(format, format_of(in.format, call::Format::json));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(report, co_await confinement_report(*call.driver, guest));
    const auto text =
        format == call::Format::json ? boost::json::serialize(to_json(report)) + "\n" : printed(report);
    co_return Out{.text = {text}, .as_planned = report.ok() ? 1 : 0};
}

Task<Result<ImportCheck::Out>> ImportCheck::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "cloisterImportCheck"));
    CO_TRY(domain, read_domain(in.xml.value));
    Out out{.name = {domain.name}};
    for (const auto& kept : unmodelled(domain))
        out.lost.items.push_back({tr("line {0}: {1} is kept, but not understood", kept.line, kept.what)});
    auto definition = co_await complete_definition(call, in.xml.value);
    if (!definition) {
        out.unplannable.items.push_back({full_text(definition.error())});
        co_return out;
    }
    auto plan = co_await planned(*call.driver, *definition, call.rights != nullptr);
    if (!plan) out.unplannable.items.push_back({full_text(plan.error())});
    co_return out;
}

} // namespace cloister
