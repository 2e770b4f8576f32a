/// One value <-> the text of an attribute or element.
#pragma once

#include "conf/base/mac.hpp"
#include "conf/base/names.hpp"
#include "conf/base/uuid.hpp"

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cloister::xml {

/// An unsigned number printed as 0x… with at least Digits digits; read as decimal, 0x… or 0… (octal).
template <int Digits> struct Hex {
    std::uint32_t value = 0;
    auto operator<=>(const Hex&) const = default;
};

/// The same with 64 bits.
template <int Digits> struct LongHex {
    std::uint64_t value = 0;
    auto operator<=>(const LongHex&) const = default;
};

/// An unsigned number in C notation: decimal, 0x…, 0… (octal). The whole text, nothing around it.
std::optional<std::uint64_t> c_number(std::string_view text);
std::string hexadecimal(std::uint64_t value, int digits);

/// Specialise for a type with a text form of its own: read (nullopt: not a value) and write.
template <class M> struct Scalar;

template <> struct Scalar<std::string> {
    static std::optional<std::string> read(std::string_view t) { return std::string(t); }
    static std::string write(const std::string& v) { return v; }
};
template <Named E> struct Scalar<E> {
    static std::optional<E> read(std::string_view t) { return names<E>.value(t); }
    static std::string write(E v) { return std::string(names<E>.text(v)); }
};
template <std::integral I>
    requires(!std::same_as<I, bool>)
struct Scalar<I> {
    static std::optional<I> read(std::string_view t) {
        I v{};
        const auto [end, ec] = std::from_chars(t.data(), t.data() + t.size(), v);
        if (ec == std::errc{} && end == t.data() + t.size()) return v;
        return std::nullopt;
    }
    static std::string write(I v) { return std::to_string(v); }
};
template <int D> struct Scalar<Hex<D>> {
    static std::optional<Hex<D>> read(std::string_view t) {
        const auto v = c_number(t);
        if (!v || *v > UINT32_MAX) return std::nullopt;
        return Hex<D>{static_cast<std::uint32_t>(*v)};
    }
    static std::string write(Hex<D> v) { return hexadecimal(v.value, D); }
};
template <int D> struct Scalar<LongHex<D>> {
    static std::optional<LongHex<D>> read(std::string_view t) {
        const auto v = c_number(t);
        return v ? std::optional(LongHex<D>{*v}) : std::nullopt;
    }
    static std::string write(LongHex<D> v) { return hexadecimal(v.value, D); }
};
template <> struct Scalar<Uuid> {
    static std::optional<Uuid> read(std::string_view t) { return parse_uuid(t); }
    static std::string write(const Uuid& v) { return printed(v); }
};
template <> struct Scalar<Mac> {
    static std::optional<Mac> read(std::string_view t) { return parse_mac(t); }
    static std::string write(const Mac& v) { return printed(v); }
};

} // namespace cloister::xml
