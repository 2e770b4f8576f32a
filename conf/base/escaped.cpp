#include "conf/base/escaped.hpp"

#include <fmt/core.h>

namespace cloister {
namespace {

unsigned byte_at(std::string_view text, std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
}

/// The length of the character at `at` when it is well-formed UTF-8 and may be shown; 0 otherwise.
/// Source: RFC 3629, section 4.
std::size_t shown_at(std::string_view text, std::size_t at) {
    const auto first = byte_at(text, at);
    if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
    const auto tail = [&](std::size_t n) { return (byte_at(text, at + n) & 0xc0) == 0x80; };
    const auto second = byte_at(text, at + 1);
    if (first >= 0xc2 && first <= 0xdf)
        return tail(1) && !(first == 0xc2 && second < 0xa0) ? 2 : 0; // C1 controls are U+0080 to U+009F
    if (first >= 0xe0 && first <= 0xef)
        return tail(1) && tail(2) && !(first == 0xe0 && second < 0xa0) && !(first == 0xed && second > 0x9f)
                   ? 3
                   : 0;
    if (first >= 0xf0 && first <= 0xf4)
        return tail(1) && tail(2) && tail(3) && !(first == 0xf0 && second < 0x90) &&
                       !(first == 0xf4 && second > 0x8f)
                   ? 4
                   : 0;
    return 0;
}

} // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto length = shown_at(text, at);
        if (length == 0)
            out += fmt::format("\\x{:02x}", byte_at(text, at++));
        else {
            out += text.substr(at, length);
            at += length;
        }
    }
    return out;
}

bool has_log_stamp(std::string_view line) {
    constexpr std::string_view shape = "0000-00-00 00:00:00.000+0000:";
    if (line.size() < shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (shape[i] == '0' ? line[i] < '0' || line[i] > '9' : line[i] != shape[i]) return false;
    return true;
}

std::string escaped_guest_line(std::string_view line) {
    if (!has_log_stamp(line)) return escaped(line);
    return fmt::format("\\x{:02x}", byte_at(line, 0)) + escaped(line.substr(1));
}

} // namespace cloister
