/// Where the bytes of a character device go: the type attribute, <source>, <protocol> of serial ports,
/// consoles, channels, redirected USB devices, smart cards and entropy sources.
/// Source: https://libvirt.org/formatdomain.html#host-interface
#pragma once

#include "conf/part/seclabel.hpp"

namespace cloister {

enum class SocketMode { connect, bind };
template <> inline constexpr auto names<SocketMode> = make_names<SocketMode>({"connect", "bind"});
static_assert(names<SocketMode>.covers(SocketMode::bind));

enum class ChardevProtocol { raw, telnet, telnets, tls };
template <> inline constexpr auto names<ChardevProtocol> =
    make_names<ChardevProtocol>({"raw", "telnet", "telnets", "tls"});
static_assert(names<ChardevProtocol>.covers(ChardevProtocol::tls));

/// What a client socket does when its peer is gone.
struct Reconnect {
    YesNo enabled = YesNo::no;
    std::optional<std::uint32_t> timeout{}; ///< seconds between attempts
    xml::Rest rest{};
    bool operator==(const Reconnect&) const = default;
};
template <> inline constexpr auto fields<Reconnect> =
    xml::table(xml::attr("enabled", &Reconnect::enabled), xml::attr("timeout", &Reconnect::timeout));

/// A <protocol> that means nothing for its type is dropped, as libvirt does.
template <class T> constexpr auto no_protocol() {
    return xml::special<T>(
        [](std::string_view name, const xml::Node* child) { return child && name == "protocol"; },
        [](const xml::Node&, T&, xml::Flavour) -> Result<> { return {}; },
        [](const T&, xml::Node&, const xml::Style&) {});
}
/// The same for a <source>.
template <class T> constexpr auto no_source() {
    return xml::special<T>(
        [](std::string_view name, const xml::Node* child) {
            return child && (name == "source" || name == "protocol");
        },
        [](const xml::Node&, T&, xml::Flavour) -> Result<> { return {}; },
        [](const T&, xml::Node&, const xml::Style&) {});
}

// The alternatives hold the children of the device's own element; their <source> is a struct of its own.

struct PathSource { ///< <source path=…> of a device node or a pseudo terminal
    std::optional<std::string> path{};
    std::vector<DeviceSecLabel> seclabels{};
    xml::Rest rest{};
    bool operator==(const PathSource&) const = default;
};
template <> inline constexpr auto fields<PathSource> =
    xml::table(xml::attr("path", &PathSource::path), xml::child("seclabel", &PathSource::seclabels));

struct NullChardev {
    bool operator==(const NullChardev&) const = default;
};
template <> inline constexpr auto fields<NullChardev> = xml::table(no_source<NullChardev>());

struct VcChardev { ///< a text console in QEMU's window
    bool operator==(const VcChardev&) const = default;
};
template <> inline constexpr auto fields<VcChardev> = xml::table(no_source<VcChardev>());

struct StdioChardev {
    bool operator==(const StdioChardev&) const = default;
};
template <> inline constexpr auto fields<StdioChardev> = xml::table(no_source<StdioChardev>());

struct PtyChardev {
    std::optional<PathSource> source{}; ///< live only: QEMU chose it
    bool operator==(const PtyChardev&) const = default;
};
template <> inline constexpr auto fields<PtyChardev> =
    xml::table(xml::live(xml::child("source", &PtyChardev::source)), no_protocol<PtyChardev>());

struct DevChardev { ///< a host character device
    std::optional<PathSource> source{};
    bool operator==(const DevChardev&) const = default;
};
template <> inline constexpr auto fields<DevChardev> =
    xml::table(xml::child("source", &DevChardev::source), no_protocol<DevChardev>());

struct PipeChardev { ///< a named pipe, or PATH.in and PATH.out
    std::optional<PathSource> source{};
    bool operator==(const PipeChardev&) const = default;
};
template <> inline constexpr auto fields<PipeChardev> =
    xml::table(xml::child("source", &PipeChardev::source), no_protocol<PipeChardev>());

struct FileSource {
    std::optional<std::string> path{};
    std::optional<Switch> append{};
    std::vector<DeviceSecLabel> seclabels{};
    xml::Rest rest{};
    bool operator==(const FileSource&) const = default;
};
template <> inline constexpr auto fields<FileSource> =
    xml::table(xml::attr("path", &FileSource::path), xml::attr("append", &FileSource::append),
               xml::child("seclabel", &FileSource::seclabels));
struct FileChardev {
    std::optional<FileSource> source{};
    bool operator==(const FileChardev&) const = default;
};
template <> inline constexpr auto fields<FileChardev> =
    xml::table(xml::child("source", &FileChardev::source), no_protocol<FileChardev>());

struct UdpSource {
    std::optional<SocketMode> mode{};
    std::optional<std::string> host{}, service{};
    xml::Rest rest{};
    bool operator==(const UdpSource&) const = default;
};
template <> inline constexpr auto fields<UdpSource> =
    xml::table(xml::attr("mode", &UdpSource::mode), xml::attr("host", &UdpSource::host),
               xml::attr("service", &UdpSource::service));
struct UdpChardev {
    std::vector<UdpSource> sources{}; ///< where to send (connect) and where to listen (bind)
    bool operator==(const UdpChardev&) const = default;
};
template <> inline constexpr auto fields<UdpChardev> =
    xml::table(xml::child("source", &UdpChardev::sources), no_protocol<UdpChardev>());

struct TcpSource {
    std::optional<SocketMode> mode{};
    std::optional<std::string> host{}, service{};
    std::optional<YesNo> tls{};
    std::optional<Reconnect> reconnect{};
    xml::Rest rest{};
    bool operator==(const TcpSource&) const = default;
};
template <> inline constexpr auto fields<TcpSource> =
    xml::table(xml::attr("mode", &TcpSource::mode), xml::attr("host", &TcpSource::host),
               xml::attr("service", &TcpSource::service), xml::attr("tls", &TcpSource::tls),
               xml::child("reconnect", &TcpSource::reconnect));
struct Protocol {
    ChardevProtocol type = ChardevProtocol::raw;
    xml::Rest rest{};
    bool operator==(const Protocol&) const = default;
};
template <> inline constexpr auto fields<Protocol> = xml::table(xml::attr("type", &Protocol::type));
struct TcpChardev {
    std::optional<TcpSource> source{};
    std::optional<Protocol> protocol{};
    bool operator==(const TcpChardev&) const = default;
};
template <> inline constexpr auto fields<TcpChardev> =
    xml::table(xml::child("source", &TcpChardev::source), xml::child("protocol", &TcpChardev::protocol));

struct UnixSource {
    std::optional<SocketMode> mode{};
    std::optional<std::string> path{};
    std::optional<Reconnect> reconnect{};
    std::vector<DeviceSecLabel> seclabels{};
    xml::Rest rest{};
    bool operator==(const UnixSource&) const = default;
};
template <> inline constexpr auto fields<UnixSource> = xml::table(
    xml::attr("mode", &UnixSource::mode), xml::attr("path", &UnixSource::path),
    xml::child("reconnect", &UnixSource::reconnect), xml::child("seclabel", &UnixSource::seclabels));
struct UnixChardev {
    std::optional<UnixSource> source{};
    bool operator==(const UnixChardev&) const = default;
};
template <> inline constexpr auto fields<UnixChardev> =
    xml::table(xml::child("source", &UnixChardev::source), no_protocol<UnixChardev>());

struct SpiceVmcChardev {
    bool operator==(const SpiceVmcChardev&) const = default;
};
template <> inline constexpr auto fields<SpiceVmcChardev> = xml::table(no_source<SpiceVmcChardev>());

struct ChannelSource { ///< the name by which a display client finds the port
    std::optional<std::string> channel{};
    xml::Rest rest{};
    bool operator==(const ChannelSource&) const = default;
};
template <> inline constexpr auto fields<ChannelSource> =
    xml::table(xml::attr("channel", &ChannelSource::channel));
struct SpicePortChardev {
    std::optional<ChannelSource> source{};
    bool operator==(const SpicePortChardev&) const = default;
};
template <> inline constexpr auto fields<SpicePortChardev> =
    xml::table(xml::child("source", &SpicePortChardev::source), no_protocol<SpicePortChardev>());
struct DbusChardev {
    std::optional<ChannelSource> source{};
    bool operator==(const DbusChardev&) const = default;
};
template <> inline constexpr auto fields<DbusChardev> =
    xml::table(xml::child("source", &DbusChardev::source), no_protocol<DbusChardev>());

/// Shared by SPICE and QEMU's own agent channel.
enum class MouseMode { client, server };
template <> inline constexpr auto names<MouseMode> = make_names<MouseMode>({"client", "server"});
static_assert(names<MouseMode>.covers(MouseMode::server));
struct MouseSetting {
    MouseMode mode = MouseMode::client;
    xml::Rest rest{};
    bool operator==(const MouseSetting&) const = default;
};
template <> inline constexpr auto fields<MouseSetting> = xml::table(xml::attr("mode", &MouseSetting::mode));
struct ClipboardSetting {
    YesNo copypaste = YesNo::no;
    xml::Rest rest{};
    bool operator==(const ClipboardSetting&) const = default;
};
template <> inline constexpr auto fields<ClipboardSetting> =
    xml::table(xml::attr("copypaste", &ClipboardSetting::copypaste));

struct VdagentSource {
    std::optional<ClipboardSetting> clipboard{};
    std::optional<MouseSetting> mouse{};
    xml::Rest rest{};
    bool operator==(const VdagentSource&) const = default;
};
template <> inline constexpr auto fields<VdagentSource> = xml::table(
    xml::child("clipboard", &VdagentSource::clipboard), xml::child("mouse", &VdagentSource::mouse));
struct VdagentChardev { ///< QEMU itself is the agent's peer
    std::optional<VdagentSource> source{};
    bool operator==(const VdagentChardev&) const = default;
};
template <> inline constexpr auto fields<VdagentChardev> =
    xml::table(xml::child("source", &VdagentChardev::source), no_protocol<VdagentChardev>());

/// Embedded first in a character device: xml::embed(&Serial::chardev).
struct Chardev {
    /// monostate: no type was given; completion makes it a pty.
    std::variant<std::monostate, NullChardev, VcChardev, PtyChardev, DevChardev, FileChardev, PipeChardev,
                 StdioChardev, UdpChardev, TcpChardev, UnixChardev, SpiceVmcChardev, SpicePortChardev,
                 VdagentChardev, DbusChardev>
        how{};
    bool operator==(const Chardev&) const = default;
};
template <> inline constexpr auto fields<Chardev> = xml::table(
    xml::by_attr("type", &Chardev::how, xml::alt<NullChardev>("null"), xml::alt<VcChardev>("vc"),
                 xml::alt<PtyChardev>("pty"), xml::alt<DevChardev>("dev"), xml::alt<FileChardev>("file"),
                 xml::alt<PipeChardev>("pipe"), xml::alt<StdioChardev>("stdio"), xml::alt<UdpChardev>("udp"),
                 xml::alt<TcpChardev>("tcp"), xml::alt<UnixChardev>("unix"),
                 xml::alt<SpiceVmcChardev>("spicevmc"), xml::alt<SpicePortChardev>("spiceport"),
                 xml::alt<VdagentChardev>("qemu-vdagent"), xml::alt<DbusChardev>("dbus")));

/// A copy of what the guest writes, kept in a host file.
struct ChardevLog {
    std::string file{};
    std::optional<Switch> append{};
    xml::Rest rest{};
    bool operator==(const ChardevLog&) const = default;
};
template <> inline constexpr auto fields<ChardevLog> =
    xml::table(xml::attr("file", &ChardevLog::file), xml::attr("append", &ChardevLog::append));

} // namespace cloister
