/// How the arguments and the results of several methods relate to those of their procedures.
#pragma once

#include "conf/base/tr.hpp"
#include "daemon/dbus/method.hpp"

#include <algorithm>
#include <limits>

namespace cloister::dbus {

/// Room for every parameter there may be: the library asks for their number first, we take them all at once.
inline constexpr std::int32_t all_parameters = 16;
/// Texts among them are welcome: the library says so in the name of every caller.
inline constexpr std::uint32_t texts_too = 4;
inline constexpr auto parameters = [](const auto& out) { return out.params; };
/// {name, number} as a dictionary.
inline constexpr auto numbers = [](const auto& out) {
    std::vector<std::pair<std::string, std::uint64_t>> all;
    for (const auto& [field, value] : out.params.items) all.emplace_back(field.value, value);
    return all;
};
/// Everything that the procedure answers, as one struct.
inline constexpr auto whole = [](const auto& out) { return out; };
/// One member of the answer, as it is or as another type.
template <auto Member, class T = void> struct Only {
    template <class Out> auto operator()(const Out& out) const {
        if constexpr (std::is_void_v<T>)
            return out.*Member;
        else
            return static_cast<T>(out.*Member);
    }
};

/// Bit N of a CPU map is true in place N.
inline std::vector<bool> bits_of(const std::vector<std::uint8_t>& map, std::size_t first, std::size_t count) {
    std::vector<bool> out;
    for (std::size_t bit = 0; bit < count; ++bit) {
        const auto byte = first + bit / 8;
        out.push_back(byte < map.size() && (map[byte] >> (bit % 8) & 1) != 0);
    }
    return out;
}
inline std::vector<std::uint8_t> map_of(const std::vector<bool>& bits) {
    std::vector<std::uint8_t> out((bits.size() + 7) / 8);
    for (std::size_t bit = 0; bit < bits.size(); ++bit)
        if (bits[bit]) out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] | 1u << (bit % 8));
    return out;
}

/// A size that D-Bus gives 64 bits and the procedure 32. Errors: invalid_arg.
inline Result<> narrow(std::uint64_t from, std::uint32_t& to) {
    if (from > std::numeric_limits<std::uint32_t>::max())
        return fail(Code::invalid_arg, tr("{0} bytes are more than one call may ask for", from));
    to = static_cast<std::uint32_t>(from);
    return {};
}

} // namespace cloister::dbus
