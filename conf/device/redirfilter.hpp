/// <redirfilter>: which USB devices a client may redirect into the guest.
/// Source: https://libvirt.org/formatdomain.html#redirected-devices
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

struct RedirRule { ///< absent: any
    std::optional<xml::Hex<2>> usb_class{};
    std::optional<xml::Hex<4>> vendor{}, product{};
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
