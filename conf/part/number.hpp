/// An unsigned number that may be written in any base of C and is printed as decimal.
#pragma once

#include "conf/text/scalar.hpp"

namespace cloister::xml {

struct Decimal {
    std::uint32_t value = 0;
    auto operator<=>(const Decimal&) const = default;
};
template <> struct Scalar<Decimal> {
    static std::optional<Decimal> read(std::string_view t) {
        const auto v = c_number(t);
        if (!v || *v > UINT32_MAX) return std::nullopt;
        return Decimal{static_cast<std::uint32_t>(*v)};
    }
    static std::string write(Decimal v) { return std::to_string(v.value); }
};

} // namespace cloister::xml
