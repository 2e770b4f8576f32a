#include "conf/part/scaled.hpp"

#include "conf/base/tr.hpp"

#include <array>
#include <cctype>

namespace cloister {

namespace {

std::optional<std::uint64_t> factor(std::string_view unit) {
    std::string low;
    for (const char c : unit) low += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (low == "b" || low == "byte" || low == "bytes") return 1;
    constexpr std::string_view letters = "kmgtpe";
    const auto at = low.empty() ? std::string_view::npos : letters.find(low.front());
    if (at == std::string_view::npos) return std::nullopt;
    const auto tail = std::string_view(low).substr(1);
    std::uint64_t base = 0;
    if (tail.empty() || tail == "ib")
        base = 1024;
    else if (tail == "b")
        base = 1000;
    else
        return std::nullopt;
    std::uint64_t out = 1;
    for (std::size_t i = 0; i <= at; ++i) out *= base;
    return out;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    const auto from = text.find_first_not_of(blank);
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(blank) - from + 1);
}

} // namespace

std::optional<std::uint64_t> scaled_bytes(std::string_view text, std::string_view unit,
                                          std::string_view fallback) {
    const auto number = xml::Scalar<std::uint64_t>::read(trimmed(text));
    const auto by = factor(unit.empty() ? fallback : unit);
    std::uint64_t out = 0;
    if (!number || !by || __builtin_mul_overflow(*number, *by, &out)) return std::nullopt;
    return out;
}

Result<std::uint64_t> read_scaled(const xml::Node& node, std::string_view fallback) {
    const auto* unit = node.attribute("unit");
    if (unit && !factor(*unit)) return fail(Code::invalid_arg, tr("unknown suffix '{0}'", *unit));
    if (auto bytes = scaled_bytes(node.text, unit ? *unit : std::string(), fallback)) return *bytes;
    return std::unexpected(xml::bad_value(node, "", node.text));
}

} // namespace cloister
