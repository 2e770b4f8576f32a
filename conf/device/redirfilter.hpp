/// <redirfilter>: which USB devices a client may redirect into the guest.
/// Source: https://libvirt.org/formatdomain.html#redirected-devices
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

/// An unsigned number printed as 0x… in capitals.
template <int Digits> struct UpperHex {
    std::uint32_t value = 0;
    auto operator<=>(const UpperHex&) const = default;
};
namespace xml {
template <int D> struct Scalar<UpperHex<D>> {
    static std::optional<UpperHex<D>> read(std::string_view t) {
        const auto v = c_number(t);
        if (!v || *v > UINT32_MAX) return std::nullopt;
        return UpperHex<D>{static_cast<std::uint32_t>(*v)};
    }
    static std::string write(UpperHex<D> v) {
        auto out = hexadecimal(v.value, D);
        for (auto& c : out)
            if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
        return out;
    }
};
} // namespace xml

struct RedirRule { ///< absent: any
    std::optional<UpperHex<2>> usb_class{};
    std::optional<UpperHex<4>> vendor{}, product{};
    std::optional<std::string> version{}; ///< "1.10": binary-coded
    YesNo allow = YesNo::no;
    xml::Rest rest{};
    bool operator==(const RedirRule&) const = default;
};
template <> inline constexpr auto fields<RedirRule> =
    xml::table(xml::attr("class", &RedirRule::usb_class), xml::attr("vendor", &RedirRule::vendor),
               xml::attr("product", &RedirRule::product), xml::attr("version", &RedirRule::version),
               xml::attr("allow", &RedirRule::allow));

struct RedirFilter {
    std::vector<RedirRule> rules{}; ///< the first that fits decides
    xml::Rest rest{};
    bool operator==(const RedirFilter&) const = default;
};
template <> inline constexpr auto fields<RedirFilter> = xml::table(xml::child("usbdev", &RedirFilter::rules));
template <> inline constexpr const char* element<RedirFilter> = "redirfilter";

} // namespace cloister
