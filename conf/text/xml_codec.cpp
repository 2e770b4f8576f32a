#include "conf/text/xml_codec.hpp"

#include "conf/base/tr.hpp"

namespace cloister::xml {

Error fault(const Node& at, std::string message) {
    return {.code = Code::xml,
            .message = std::move(message),
            .context = {tr("reading <{0}>, line {1}", at.name, at.line)},
            .domain = ErrorDomain::domain};
}
Error bad_value(const Node& at, const char* what, std::string_view text) {
    if (!*what) return fault(at, tr("Invalid value '{0}' for element '{1}'", text, at.name));
    return fault(at, tr("Invalid value for attribute '{0}' in element '{1}': '{2}'.", what, at.name, text));
}
Error missing_attribute(const Node& at, const char* name) {
    return fault(at, tr("Missing required attribute '{0}' in element '{1}'", name, at.name));
}
Error missing_child(const Node& at, const char* name) {
    return fault(at, tr("missing element <{0}> in <{1}>", name, at.name));
}

bool is(const Node& child, std::string_view name) {
    return child.kind == Node::Kind::element && child.ns.empty() && child.name == name;
}

void report(const Rest& rest, std::string_view element, std::vector<Unmodelled>& out) {
    for (const auto& a : rest.attributes)
        out.push_back({tr("attribute '{0}' of <{1}>", a.name, element), rest.line});
    for (const auto& c : rest.children) out.push_back({tr("<{0}> in <{1}>", c.name, element), c.line});
}

} // namespace cloister::xml
