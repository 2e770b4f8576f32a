/// <redirdev>: a USB port of the guest that a remote client plugs its devices into.
/// Source: https://libvirt.org/formatdomain.html#redirected-devices
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"

namespace cloister {

enum class RedirBus { usb };
template <> inline constexpr auto names<RedirBus> = make_names<RedirBus>({"usb"});
static_assert(names<RedirBus>.covers(RedirBus::usb));

struct Redirdev {
    std::optional<RedirBus> bus{};
    Chardev chardev{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Redirdev&) const = default;
};
template <> inline constexpr auto fields<Redirdev> =
    xml::table(xml::attr("bus", &Redirdev::bus), xml::embed(&Redirdev::chardev), xml::embed(&Redirdev::info));
template <> inline constexpr const char* element<Redirdev> = "redirdev";

} // namespace cloister
