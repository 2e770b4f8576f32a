/// <console>: the interactive console: another name of the first serial port, or a virtio console.
/// Source: https://libvirt.org/formatdomain.html#console
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"

namespace cloister {

enum class ConsoleTargetType { none, serial, xen, uml, virtio, lxc, openvz, sclp, sclplm };
template <> inline constexpr auto names<ConsoleTargetType> = make_names<ConsoleTargetType>(
    {"none", "serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"});
static_assert(names<ConsoleTargetType>.covers(ConsoleTargetType::sclplm));

struct ConsoleTarget {
    std::optional<ConsoleTargetType> type{};
    std::optional<std::uint32_t> port{};
    xml::Rest rest{};
    bool operator==(const ConsoleTarget&) const = default;
};
template <> inline constexpr auto fields<ConsoleTarget> =
    xml::table(xml::attr("type", &ConsoleTarget::type), xml::attr("port", &ConsoleTarget::port));

struct Console {
    Chardev chardev{};
    std::optional<std::string> tty{}; ///< live only: the pseudo terminal once more, for old clients
    std::optional<ChardevLog> log{};
    std::optional<ConsoleTarget> target{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Console&) const = default;
};
template <> inline constexpr auto fields<Console> = xml::table(
    xml::embed(&Console::chardev), xml::live(xml::attr("tty", &Console::tty)),
    xml::child("log", &Console::log), xml::child("target", &Console::target), xml::embed(&Console::info));
template <> inline constexpr const char* element<Console> = "console";

} // namespace cloister
