/// Enum values and their text, declared once, next to the enum.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace cloister {

/// The texts of an enum whose values are 0, 1, 2 …, in that order.
template <class E, std::size_t N> struct Names {
    std::array<std::pair<E, std::string_view>, N> pairs;

    constexpr std::string_view text(E value) const {
        for (const auto& [v, t] : pairs)
            if (v == value) return t;
        return {};
    }
    constexpr std::optional<E> value(std::string_view text) const {
        for (const auto& [v, t] : pairs)
            if (t == text) return v;
        return std::nullopt;
    }
    /// True when the table holds 0..last once each, in order, with distinct texts.
    consteval bool covers(E last) const {
        if (static_cast<std::size_t>(last) + 1 != N) return false;
        for (std::size_t i = 0; i < N; ++i) {
            if (static_cast<std::size_t>(pairs[i].first) != i) return false;
            for (std::size_t j = 0; j < i; ++j)
                if (pairs[i].second == pairs[j].second) return false;
        }
        return true;
    }
};

/// The table of an enum whose values are 0, 1, 2 …: the texts in the order of the values.
template <class E, std::size_t N> consteval auto make_names(const std::string_view (&texts)[N]) {
    Names<E, N> table{};
    for (std::size_t i = 0; i < N; ++i) table.pairs[i] = {static_cast<E>(i), texts[i]};
    return table;
}

/// Specialise for every enum that has a text form.
template <class E> inline constexpr auto names = nullptr;

template <class E>
concept Named = requires(E e) { names<E>.text(e); };

/// Two-valued attributes, as libvirt writes them. std::optional of one of these keeps "not said".
enum class Switch { off, on };
template <> inline constexpr auto names<Switch> = make_names<Switch>({"off", "on"});
static_assert(names<Switch>.covers(Switch::on));
enum class YesNo { no, yes };
template <> inline constexpr auto names<YesNo> = make_names<YesNo>({"no", "yes"});
static_assert(names<YesNo>.covers(YesNo::yes));

} // namespace cloister
