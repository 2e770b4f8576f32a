/// <channel>: a private line between host and guest (the guest agent, SPICE's agent).
/// Source: https://libvirt.org/formatdomain.html#channel
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"

namespace cloister {

enum class ChannelState { disconnected, connected };
template <> inline constexpr auto names<ChannelState> =
    make_names<ChannelState>({"disconnected", "connected"});
static_assert(names<ChannelState>.covers(ChannelState::connected));

struct VirtioChannel {
    std::optional<std::string> name{};   ///< of the port inside the guest: "org.qemu.guest_agent.0"
    std::optional<ChannelState> state{}; ///< live only: did the guest open it
    bool operator==(const VirtioChannel&) const = default;
};
template <> inline constexpr auto fields<VirtioChannel> =
    xml::table(xml::attr("name", &VirtioChannel::name), xml::live(xml::attr("state", &VirtioChannel::state)));

struct GuestfwdChannel { ///< a TCP address inside the guest's user network
    std::optional<std::string> address{};
    std::optional<std::uint16_t> port{};
    bool operator==(const GuestfwdChannel&) const = default;
};
template <> inline constexpr auto fields<GuestfwdChannel> =
    xml::table(xml::attr("address", &GuestfwdChannel::address), xml::attr("port", &GuestfwdChannel::port));

struct XenChannel { ///< kept for round trips; QEMU guests are refused it
    std::optional<std::string> name{};
    std::optional<ChannelState> state{};
    bool operator==(const XenChannel&) const = default;
};
template <> inline constexpr auto fields<XenChannel> =
    xml::table(xml::attr("name", &XenChannel::name), xml::live(xml::attr("state", &XenChannel::state)));

struct ChannelTarget {
    std::variant<std::monostate, VirtioChannel, GuestfwdChannel, XenChannel> kind{};
    xml::Rest rest{};
    bool operator==(const ChannelTarget&) const = default;
};
template <> inline constexpr auto fields<ChannelTarget> =
    xml::table(xml::by_attr("type", &ChannelTarget::kind, xml::alt<VirtioChannel>("virtio"),
                            xml::alt<GuestfwdChannel>("guestfwd"), xml::alt<XenChannel>("xen")));

struct Channel {
    Chardev chardev{};
    std::optional<ChardevLog> log{};
    std::optional<ChannelTarget> target{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Channel&) const = default;
};
template <> inline constexpr auto fields<Channel> =
    xml::table(xml::embed(&Channel::chardev), xml::child("log", &Channel::log),
               xml::child("target", &Channel::target), xml::embed(&Channel::info));
template <> inline constexpr const char* element<Channel> = "channel";

} // namespace cloister
