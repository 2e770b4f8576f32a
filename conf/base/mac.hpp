/// The hardware address of a network card: six bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cloister {

struct Mac {
    std::array<std::uint8_t, 6> bytes{};
    auto operator<=>(const Mac&) const = default;
};

/// Six groups of one or two hexadecimal digits, with colons. Nothing else.
std::optional<Mac> parse_mac(std::string_view text);
/// Lower case, "52:54:00:12:34:56".
std::string printed(const Mac& mac);

} // namespace cloister
