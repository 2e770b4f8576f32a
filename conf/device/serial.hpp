/// <serial>: a serial port of the guest.
/// Source: https://libvirt.org/formatdomain.html#serial-port
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"

namespace cloister {

enum class SerialTargetType {
    isa_serial,
    usb_serial,
    pci_serial,
    spapr_vio_serial,
    system_serial,
    sclp_serial,
    isa_debug,
};
template <> inline constexpr auto names<SerialTargetType> =
    make_names<SerialTargetType>({"isa-serial", "usb-serial", "pci-serial", "spapr-vio-serial",
                                  "system-serial", "sclp-serial", "isa-debug"});
static_assert(names<SerialTargetType>.covers(SerialTargetType::isa_debug));

struct SerialModel {
    std::string name{}; ///< QEMU's device: "isa-serial", "isa-debugcon" …
    xml::Rest rest{};
    bool operator==(const SerialModel&) const = default;
};
template <> inline constexpr auto fields<SerialModel> = xml::table(xml::attr("name", &SerialModel::name));

struct SerialTarget {
    std::optional<SerialTargetType> type{};
    std::optional<std::uint32_t> port{};
    std::optional<SerialModel> model{};
    xml::Rest rest{};
    bool operator==(const SerialTarget&) const = default;
};
template <> inline constexpr auto fields<SerialTarget> =
    xml::table(xml::attr("type", &SerialTarget::type), xml::attr("port", &SerialTarget::port),
               xml::child("model", &SerialTarget::model));

struct Serial {
    Chardev chardev{};
    std::optional<ChardevLog> log{};
    std::optional<SerialTarget> target{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Serial&) const = default;
};
template <> inline constexpr auto fields<Serial> =
    xml::table(xml::embed(&Serial::chardev), xml::child("log", &Serial::log),
               xml::child("target", &Serial::target), xml::embed(&Serial::info));
template <> inline constexpr const char* element<Serial> = "serial";

} // namespace cloister
