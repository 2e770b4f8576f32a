/// <hub>: a USB hub.
/// Source: https://libvirt.org/formatdomain.html#hub-devices
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class HubType { usb };
template <> inline constexpr auto names<HubType> = make_names<HubType>({"usb"});
static_assert(names<HubType>.covers(HubType::usb));

struct Hub {
    HubType type = HubType::usb;
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Hub&) const = default;
};
template <> inline constexpr auto fields<Hub> =
    xml::table(xml::attr("type", &Hub::type), xml::embed(&Hub::info));
template <> inline constexpr const char* element<Hub> = "hub";

} // namespace cloister
