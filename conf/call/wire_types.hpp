/// Types of the wire protocol that plain C++ types cannot stand for. Source: facts/wire.json, "notation".
#pragma once

#include "conf/base/bounded.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cloister::call {

/// Exactly Size XDR chars, four bytes each on the wire. Shorter values are filled up with zeros; what is read
/// ends at the first zero.
template <std::size_t Size> struct FixedChars {
    std::string value{};
    bool operator==(const FixedChars&) const = default;
};
/// At most Max XDR chars, four bytes each on the wire, as many as `value` has: whoever needs a terminating
/// NUL puts it in (the security model and label do).
template <std::size_t Max> struct Chars {
    std::string value{};
    bool operator==(const Chars&) const = default;
};
/// At most Max bytes, packed.
template <std::size_t Max> struct Opaque {
    std::vector<std::uint8_t> value{};
    bool operator==(const Opaque&) const = default;
};
using UuidBytes = std::array<std::uint8_t, 16>;

/// The value of a typed parameter; its type on the wire is the alternative's number plus one: int, uint,
/// llong, ullong, double, boolean, string.
using ParamValue =
    std::variant<std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, double, bool, std::string>;

/// A call without arguments, or a reply without values.
struct Nothing {
    bool operator==(const Nothing&) const = default;
};

} // namespace cloister::call
