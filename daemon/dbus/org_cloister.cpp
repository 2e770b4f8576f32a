/// org.cloister1: what is ours alone. Described in data/docs/dbus.md.
#include "conf/base/tr.hpp"
#include "conf/call/cloister.hpp"
#include "conf/call/domain.hpp"
#include "daemon/dbus/shapes.hpp"

#include <boost/json/parse.hpp>

namespace cloister::dbus {
namespace {

using namespace call;
namespace json = boost::json;

enum : std::int32_t { explain = 1, confinement = 2 };

/// By uuid, or else by name. Errors: no_domain.
Task<Result<DomainHandle>> domain_called(Request who, std::string name) {
    if (const auto uuid = parse_uuid(name)) {
        constexpr std::int32_t by_uuid = 24;
        const DomainLookupByUuidIn in{.uuid = uuid->bytes};
        const auto found = co_await ask<DomainLookupByUuidOut>(who, by_uuid, in);
        // A name may look like a uuid.
        if (found) co_return found->dom;
        if (found.error().code != Code::no_domain) co_return std::unexpected(found.error());
    }
    constexpr std::int32_t by_name = 23;
    DomainLookupByNameIn in{.name = {std::move(name)}};
    CO_TRY(found, co_await ask<DomainLookupByNameOut>(std::move(who), by_name, std::move(in)));
    co_return found.dom;
}

Result<Format> format_called(std::string_view word) {
    if (word == "text" || word.empty()) return Format::text;
    if (word == "json") return Format::json;
    if (word == "argv") return Format::argv;
    return fail(Code::invalid_arg, tr("unknown format '{0}': text, json and argv are known", word));
}

template <std::size_t Count> Result<std::array<std::string, Count>> texts(Message& call) {
    std::array<std::string, Count> out;
    Reader from(call);
    for (auto& one : out) read(from, one);
    if (!from.complaint().empty()) return fail(Code::invalid_arg, from.complaint());
    return out;
}

Task<Result<std::string>> explained(Request who, ExplainIn in) {
    CO_TRY(out, co_await ask<ExplainOut>(std::move(who), explain, std::move(in), cloister_program));
    co_return std::move(out.text.value);
}

Task<Result<>> explain_domain(Request who, const Method*, Message call, Message reply) {
    CO_TRY(given, texts<2>(call));
    CO_TRY(format, format_called(given[1]));
    CO_TRY(domain, co_await domain_called(who, given[0]));
    ExplainIn in{.dom = domain, .format = static_cast<std::int32_t>(format)};
    CO_TRY(text, co_await explained(std::move(who), std::move(in)));
    Writer to(reply);
    write(to, text);
    co_return to.done();
}

Task<Result<>> explain_xml(Request who, const Method*, Message call, Message reply) {
    CO_TRY(given, texts<2>(call));
    CO_TRY(format, format_called(given[1]));
    ExplainIn in{.xml = Text<>{given[0]}, .format = static_cast<std::int32_t>(format)};
    CO_TRY(text, co_await explained(std::move(who), std::move(in)));
    Writer to(reply);
    write(to, text);
    co_return to.done();
}

Task<Result<>> show_confinement(Request who, const Method*, Message call, Message reply) {
    CO_TRY(given, texts<2>(call));
    CO_TRY(format, format_called(given[1]));
    CO_TRY(domain, co_await domain_called(who, given[0]));
    ConfinementIn in{.dom = domain, .format = static_cast<std::int32_t>(format)};
    CO_TRY(out, co_await ask<ConfinementOut>(std::move(who), confinement, std::move(in), cloister_program));
    Writer to(reply);
    write(to, out.text);
    write(to, out.as_planned != 0);
    co_return to.done();
}

std::string text_of(const json::object& one, std::string_view key) {
    const auto* found = one.if_contains(key);
    return found && found->is_string() ? std::string(found->as_string()) : std::string();
}

using GrantText = std::tuple<std::string, std::string, std::string, std::string, std::string>;

/// path, kind, access, sharing, why: as the explanation has them.
Result<std::vector<GrantText>> grants_in(const std::string& explanation) {
    boost::system::error_code error;
    const auto whole = json::parse(explanation, error);
    const auto* plan = error ? nullptr : whole.if_object();
    const auto* list = plan ? plan->if_contains("grants") : nullptr;
    if (!list || !list->is_array()) return fail(Code::internal, tr("the explanation has no grants"));
    std::vector<GrantText> out;
    for (const auto& item : list->as_array()) {
        const auto* grant = item.if_object();
        if (!grant) continue;
        out.emplace_back(text_of(*grant, "path"), text_of(*grant, "kind"), text_of(*grant, "access"),
                         text_of(*grant, "sharing"), text_of(*grant, "why"));
    }
    return out;
}

Task<Result<>> list_grants(Request who, const Method*, Message call, Message reply) {
    CO_TRY(given, texts<1>(call));
    CO_TRY(domain, co_await domain_called(who, given[0]));
    ExplainIn in{.dom = domain, .format = static_cast<std::int32_t>(Format::json)};
    CO_TRY(text, co_await explained(std::move(who), std::move(in)));
    CO_TRY(grants, grants_in(text));
    Writer to(reply);
    write(to, grants);
    co_return to.done();
}

} // namespace

Interface cloister_interface() {
    return {
        .name = "org.cloister1",
        .methods =
            {
                {.name = "Confinement",
                 .in = "ss",
                 .out = "sb",
                 .in_names = "domain format",
                 .out_names = "text asPlanned",
                 .about = "What was planned for a running domain (its name or uuid) and what the kernel "
                          "says, layer by layer; format text or json",
                 .serve = &show_confinement},
                {.name = "ExplainDomain",
                 .in = "ss",
                 .out = "s",
                 .in_names = "domain format",
                 .out_names = "text",
                 .about = "What a start of the domain (its name or uuid) would do; format text, json or argv",
                 .serve = &explain_domain},
                {.name = "ExplainXML",
                 .in = "ss",
                 .out = "s",
                 .in_names = "xml format",
                 .out_names = "text",
                 .about = "What a start of this definition would do; format text, json or argv",
                 .serve = &explain_xml},
                {.name = "ListGrants",
                 .in = "s",
                 .out = "a(sssss)",
                 .in_names = "domain",
                 .out_names = "grants",
                 .about = "What of the host the domain may touch: path, kind, access, sharing, and who asked "
                          "for it",
                 .serve = &list_grants},
            },
        .signals = {{"Denied", "sssss", "domain uuid layer what why"}},
    };
}

} // namespace cloister::dbus
