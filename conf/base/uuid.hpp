/// The identity of a domain: 16 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cloister {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;
};

/// 32 hexadecimal digits; dashes may stand between any two bytes, blanks around the whole, as libvirt takes
/// it.
std::optional<Uuid> parse_uuid(std::string_view text);
/// Lower case, 8-4-4-4-12.
std::string printed(const Uuid& uuid);
/// A version 4 uuid of 16 random bytes.
Uuid random_uuid(const std::array<std::uint8_t, 16>& random);

} // namespace cloister
