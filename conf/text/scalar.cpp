#include "conf/text/scalar.hpp"

namespace cloister::xml {

std::optional<std::uint64_t> c_number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text.front() == '0') {
        base = 8;
        text.remove_prefix(1);
    }
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string hexadecimal(std::uint64_t value, int digits) {
    char buffer[17];
    const auto [end, ec] = std::to_chars(buffer, buffer + sizeof buffer, value, 16);
    const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    const auto width = static_cast<std::size_t>(digits);
    return "0x" + std::string(text.size() < width ? width - text.size() : 0, '0') + std::string(text);
}

} // namespace cloister::xml
