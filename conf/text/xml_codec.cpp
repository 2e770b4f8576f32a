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

namespace {

/// Bytes in one `unit`; 0: no such unit.
std::uint64_t scale_of(std::string_view unit) {
    std::string u;
    for (const char c : unit) u += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (u == "b" || u == "byte" || u == "bytes") return 1;
    const auto power = std::string_view("kmgtpe").find(u.empty() ? '?' : u.front());
    if (power == std::string_view::npos) return 0;
    const auto tail = std::string_view(u).substr(1);
    const std::uint64_t base = tail.empty() || tail == "ib" ? 1024 : tail == "b" ? 1000 : 0;
    std::uint64_t scale = base;
    for (std::size_t i = 0; i < power; ++i) scale *= base;
    return scale;
}

} // namespace

Result<std::uint64_t> read_size(const Node& at, std::string_view text) {
    const auto* unit = at.attribute("unit");
    const auto scale = unit ? scale_of(*unit) : 1024;
    if (scale == 0) return fail(Code::invalid_arg, tr("unknown suffix '{0}'", *unit));
    const auto number = Scalar<std::uint64_t>::read(trimmed(text));
    if (!number) return std::unexpected(fault(at, tr("could not parse element '{0}'", at.name)));
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(*number, scale, &bytes))
        return fail(Code::overflow, tr("value too large: {0}{1}", *number, unit ? *unit : "KiB"));
    return bytes / 1024 + (bytes % 1024 != 0);
}

bool plain(const Node& node) {
    for (const auto& c : node.children)
        if (c.kind == Node::Kind::element) return false;
    return node.attributes.empty();
}
std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
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
