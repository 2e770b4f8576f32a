/// Visiting a std::variant with one lambda per alternative.
#pragma once

namespace cloister {

template <class... F> struct overload : F... {
    using F::operator()...;
};
template <class... F> overload(F...) -> overload<F...>;

} // namespace cloister
