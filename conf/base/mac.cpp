#include "conf/base/mac.hpp"

#include <charconv>

namespace cloister {

std::optional<Mac> parse_mac(std::string_view text) {
    Mac mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        const auto colon = text.find(':');
        const auto group = text.substr(0, colon);
        if (group.empty() || group.size() > 2) return std::nullopt;
        const auto [end, ec] = std::from_chars(group.data(), group.data() + group.size(), mac.bytes[i], 16);
        if (ec != std::errc{} || end != group.data() + group.size()) return std::nullopt;
        if ((colon == std::string_view::npos) != (i + 1 == mac.bytes.size())) return std::nullopt;
        text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
    }
    return mac;
}

std::string printed(const Mac& mac) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : mac.bytes) {
        if (!text.empty()) text += ':';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace cloister
