/// <interface>: a network card of the guest and what it is connected to.
/// Source: https://libvirt.org/formatdomain.html#network-interfaces
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/source.hpp"
#include "conf/part/virtio_options.hpp"

namespace cloister {

enum class InterfaceType {
    user,
    ethernet,
    vhostuser,
    server,
    client,
    mcast,
    network,
    bridge,
    internal,
    direct,
    hostdev,
    udp,
    vdpa
};
template <> inline constexpr auto names<InterfaceType> =
    make_names<InterfaceType>({"user", "ethernet", "vhostuser", "server", "client", "mcast", "network",
                               "bridge", "internal", "direct", "hostdev", "udp", "vdpa"});
static_assert(names<InterfaceType>.covers(InterfaceType::vdpa));

struct InterfaceMac {
    Mac address{};
    std::optional<std::string> type{}; ///< generated, static
    std::optional<YesNo> check{};
    xml::Rest rest{};
    bool operator==(const InterfaceMac&) const = default;
};
template <> inline constexpr auto fields<InterfaceMac> =
    xml::table(xml::attr("address", &InterfaceMac::address), xml::attr("type", &InterfaceMac::type),
               xml::attr("check", &InterfaceMac::check));

struct IpAddress { ///< <ip address=… family=… prefix=… peer=…/>
    std::string address{};
    std::optional<std::string> family{}, netmask{}, prefix{}, peer{};
    xml::Rest rest{};
    bool operator==(const IpAddress&) const = default;
};
template <> inline constexpr auto fields<IpAddress> =
    xml::table(xml::attr("address", &IpAddress::address), xml::attr("family", &IpAddress::family),
               xml::attr("netmask", &IpAddress::netmask), xml::attr("prefix", &IpAddress::prefix),
               xml::attr("peer", &IpAddress::peer));

struct LocalEnd { ///< of udp tunnels
    std::optional<std::string> address{}, port{};
    xml::Rest rest{};
    bool operator==(const LocalEnd&) const = default;
};
template <> inline constexpr auto fields<LocalEnd> =
    xml::table(xml::attr("address", &LocalEnd::address), xml::attr("port", &LocalEnd::port));

/// <source>: the attributes of every InterfaceType side by side.
struct InterfaceSource {
    std::optional<std::string> network{}, portgroup{}, portid{}; ///< network
    std::optional<std::string> bridge{};                         ///< bridge; network when live
    std::optional<std::string> dev{};                            ///< direct, ethernet, user, vdpa
    std::optional<std::string> address_attribute{}, port{};      ///< server, client, mcast, udp
    std::optional<std::string> type{}, path{}, mode{};           ///< vhostuser; mode: direct
    std::optional<std::string> name{};                           ///< internal
    std::optional<YesNo> managed{};
    std::optional<HostPci> address{}; ///< hostdev
    std::optional<LocalEnd> local{};
    std::vector<IpAddress> ips{};
    std::optional<Reconnect> reconnect{};
    xml::Rest rest{};
    bool operator==(const InterfaceSource&) const = default;
};
template <> inline constexpr auto fields<InterfaceSource> = xml::table(
    xml::attr("network", &InterfaceSource::network), xml::attr("portgroup", &InterfaceSource::portgroup),
    xml::live(xml::attr("portid", &InterfaceSource::portid)), xml::attr("bridge", &InterfaceSource::bridge),
    xml::attr("dev", &InterfaceSource::dev), xml::attr("address", &InterfaceSource::address_attribute),
    xml::attr("port", &InterfaceSource::port), xml::attr("type", &InterfaceSource::type),
    xml::attr("path", &InterfaceSource::path), xml::attr("mode", &InterfaceSource::mode),
    xml::attr("name", &InterfaceSource::name), xml::attr("managed", &InterfaceSource::managed),
    xml::child("address", &InterfaceSource::address), xml::child("local", &InterfaceSource::local),
    xml::child("ip", &InterfaceSource::ips), xml::child("reconnect", &InterfaceSource::reconnect));

struct VlanTag {
    std::uint32_t id = 0;
    std::optional<std::string> native_mode{};
    xml::Rest rest{};
    bool operator==(const VlanTag&) const = default;
};
template <> inline constexpr auto fields<VlanTag> =
    xml::table(xml::attr("id", &VlanTag::id), xml::attr("nativeMode", &VlanTag::native_mode));
struct Vlan {
    std::optional<YesNo> trunk{};
    std::vector<VlanTag> tags{};
    xml::Rest rest{};
    bool operator==(const Vlan&) const = default;
};
template <> inline constexpr auto fields<Vlan> =
    xml::table(xml::attr("trunk", &Vlan::trunk), xml::child("tag", &Vlan::tags));

struct VirtualPortParameters {
    std::optional<std::string> managerid{}, typeid_{}, typeidversion{}, instanceid{}, interfaceid{},
        profileid{};
    xml::Rest rest{};
    bool operator==(const VirtualPortParameters&) const = default;
};
template <> inline constexpr auto fields<VirtualPortParameters> =
    xml::table(xml::attr("managerid", &VirtualPortParameters::managerid),
               xml::attr("typeid", &VirtualPortParameters::typeid_),
               xml::attr("typeidversion", &VirtualPortParameters::typeidversion),
               xml::attr("instanceid", &VirtualPortParameters::instanceid),
               xml::attr("interfaceid", &VirtualPortParameters::interfaceid),
               xml::attr("profileid", &VirtualPortParameters::profileid));
struct VirtualPort {
    std::optional<std::string> type{}; ///< openvswitch, 802.1Qbg, 802.1Qbh, midonet
    std::optional<VirtualPortParameters> parameters{};
    xml::Rest rest{};
    bool operator==(const VirtualPort&) const = default;
};
template <> inline constexpr auto fields<VirtualPort> =
    xml::table(xml::attr("type", &VirtualPort::type), xml::child("parameters", &VirtualPort::parameters));

struct BandwidthLimits { ///< KiB/s; burst in KiB
    std::optional<std::uint64_t> average{}, peak{}, burst{}, floor{};
    xml::Rest rest{};
    bool operator==(const BandwidthLimits&) const = default;
};
template <> inline constexpr auto fields<BandwidthLimits> =
    xml::table(xml::attr("average", &BandwidthLimits::average), xml::attr("peak", &BandwidthLimits::peak),
               xml::attr("floor", &BandwidthLimits::floor), xml::attr("burst", &BandwidthLimits::burst));
struct Bandwidth {
    std::optional<BandwidthLimits> inbound{}, outbound{};
    xml::Rest rest{};
    bool operator==(const Bandwidth&) const = default;
};
template <> inline constexpr auto fields<Bandwidth> =
    xml::table(xml::child("inbound", &Bandwidth::inbound), xml::child("outbound", &Bandwidth::outbound));

struct PortOptions {
    std::optional<YesNo> isolated{};
    xml::Rest rest{};
    bool operator==(const PortOptions&) const = default;
};
template <> inline constexpr auto fields<PortOptions> =
    xml::table(xml::attr("isolated", &PortOptions::isolated));

struct ScriptPath {
    std::string path{};
    xml::Rest rest{};
    bool operator==(const ScriptPath&) const = default;
};
template <> inline constexpr auto fields<ScriptPath> = xml::table(xml::attr("path", &ScriptPath::path));

struct InterfaceTarget {
    std::optional<std::string> dev{}; ///< the tap; made-up names (vnet0) are taken as absent in definitions
    std::optional<YesNo> managed{};   ///< no: the tap is the administrator's
    xml::Rest rest{};
    bool operator==(const InterfaceTarget&) const = default;
};
/// A name that a daemon made up belongs to the run it was made for.
inline constexpr auto interface_target_dev = xml::special<InterfaceTarget>(
    [](std::string_view name, const xml::Node* child) { return !child && name == "dev"; },
    [](const xml::Node& n, InterfaceTarget& out, xml::Flavour flavour) -> Result<> {
        const auto* text = n.attribute("dev");
        if (!text) return {};
        const bool made_up =
            text->starts_with("vnet") || text->starts_with("macvtap") || text->starts_with("macvlan");
        if (flavour != xml::Flavour::inactive || !made_up) out.dev = *text;
        return {};
    },
    [](const InterfaceTarget& v, xml::Node& n, const xml::Style& style) {
        if (v.dev && !(style.flavour == xml::Flavour::inactive && v.dev->starts_with("vnet")))
            n.set("dev", *v.dev);
    });
template <> inline constexpr auto fields<InterfaceTarget> =
    xml::table(interface_target_dev, xml::attr("managed", &InterfaceTarget::managed));

struct GuestDev { ///< name of the card inside of a container
    std::optional<std::string> dev{}, actual{};
    xml::Rest rest{};
    bool operator==(const GuestDev&) const = default;
};
template <> inline constexpr auto fields<GuestDev> =
    xml::table(xml::attr("dev", &GuestDev::dev), xml::attr("actual", &GuestDev::actual));

struct InterfaceModel {
    std::optional<std::string> type{}; ///< virtio, e1000, rtl8139 …: the name of a QEMU device
    xml::Rest rest{};
    bool operator==(const InterfaceModel&) const = default;
};
template <> inline constexpr auto fields<InterfaceModel> =
    xml::table(xml::attr("type", &InterfaceModel::type));

/// Offloads: <host> for the tap's end, <guest> for the card's.
struct Offloads {
    std::optional<Switch> csum{}, gso{}, tso4{}, tso6{}, ecn{}, ufo{}, mrg_rxbuf{};
    xml::Rest rest{};
    bool operator==(const Offloads&) const = default;
};
template <> inline constexpr auto fields<Offloads> = xml::table(
    xml::attr("csum", &Offloads::csum), xml::attr("gso", &Offloads::gso), xml::attr("tso4", &Offloads::tso4),
    xml::attr("tso6", &Offloads::tso6), xml::attr("ecn", &Offloads::ecn), xml::attr("ufo", &Offloads::ufo),
    xml::attr("mrg_rxbuf", &Offloads::mrg_rxbuf));

struct InterfaceDriver {
    std::optional<std::string> name{};   ///< qemu, vhost (hostdev: vfio)
    std::optional<std::string> txmode{}; ///< iothread, timer
    std::optional<Switch> ioeventfd{}, event_idx{};
    std::optional<std::uint32_t> queues{}, rx_queue_size{}, tx_queue_size{};
    std::optional<Switch> rss{}, rss_hash_report{};
    VirtioOptions virtio{};
    std::optional<Offloads> host{}, guest{};
    xml::Rest rest{};
    bool operator==(const InterfaceDriver&) const = default;
};
template <> inline constexpr auto fields<InterfaceDriver> = xml::table(
    xml::attr("name", &InterfaceDriver::name), xml::attr("txmode", &InterfaceDriver::txmode),
    xml::attr("ioeventfd", &InterfaceDriver::ioeventfd), xml::attr("event_idx", &InterfaceDriver::event_idx),
    xml::attr("queues", &InterfaceDriver::queues),
    xml::attr("rx_queue_size", &InterfaceDriver::rx_queue_size),
    xml::attr("tx_queue_size", &InterfaceDriver::tx_queue_size), xml::attr("rss", &InterfaceDriver::rss),
    xml::attr("rss_hash_report", &InterfaceDriver::rss_hash_report), xml::embed(&InterfaceDriver::virtio),
    xml::child("host", &InterfaceDriver::host), xml::child("guest", &InterfaceDriver::guest));

struct InterfaceBackend {
    std::optional<std::string> tap{}, vhost{}; ///< instead of /dev/net/tun and /dev/vhost-net
    std::optional<std::string> type{};         ///< passt
    std::optional<std::string> log_file{};
    xml::Rest rest{};
    bool operator==(const InterfaceBackend&) const = default;
};
template <> inline constexpr auto fields<InterfaceBackend> = xml::table(
    xml::attr("type", &InterfaceBackend::type), xml::attr("tap", &InterfaceBackend::tap),
    xml::attr("vhost", &InterfaceBackend::vhost), xml::attr("logFile", &InterfaceBackend::log_file));

struct FilterParameter {
    std::string name{}, value{};
    xml::Rest rest{};
    bool operator==(const FilterParameter&) const = default;
};
template <> inline constexpr auto fields<FilterParameter> =
    xml::table(xml::attr("name", &FilterParameter::name), xml::attr("value", &FilterParameter::value));
struct FilterRef {
    std::string filter{};
    std::vector<FilterParameter> parameters{};
    xml::Rest rest{};
    bool operator==(const FilterRef&) const = default;
};
template <> inline constexpr auto fields<FilterRef> =
    xml::table(xml::attr("filter", &FilterRef::filter), xml::child("parameter", &FilterRef::parameters));

struct InterfaceTune {
    std::optional<std::uint64_t> sndbuf{};
    xml::Rest rest{};
    bool operator==(const InterfaceTune&) const = default;
};
template <> inline constexpr auto fields<InterfaceTune> =
    xml::table(xml::leaf("sndbuf", &InterfaceTune::sndbuf));

/// Fail-over between a virtio card and an assigned one.
struct Teaming {
    std::string type{}; ///< persistent, transient
    std::optional<std::string> persistent{};
    xml::Rest rest{};
    bool operator==(const Teaming&) const = default;
};
template <> inline constexpr auto fields<Teaming> =
    xml::table(xml::attr("type", &Teaming::type), xml::attr("persistent", &Teaming::persistent));

enum class LinkStateValue { up, down };
template <> inline constexpr auto names<LinkStateValue> = make_names<LinkStateValue>({"up", "down"});
static_assert(names<LinkStateValue>.covers(LinkStateValue::down));

struct LinkState {
    std::optional<LinkStateValue> state{};
    xml::Rest rest{};
    bool operator==(const LinkState&) const = default;
};
template <> inline constexpr auto fields<LinkState> = xml::table(xml::attr("state", &LinkState::state));

struct Mtu {
    std::uint32_t size = 0;
    xml::Rest rest{};
    bool operator==(const Mtu&) const = default;
};
template <> inline constexpr auto fields<Mtu> = xml::table(xml::attr("size", &Mtu::size));

struct CoalesceFrames {
    std::optional<std::uint32_t> max{};
    xml::Rest rest{};
    bool operator==(const CoalesceFrames&) const = default;
};
template <> inline constexpr auto fields<CoalesceFrames> = xml::table(xml::attr("max", &CoalesceFrames::max));
struct CoalesceRx {
    std::optional<CoalesceFrames> frames{};
    xml::Rest rest{};
    bool operator==(const CoalesceRx&) const = default;
};
template <> inline constexpr auto fields<CoalesceRx> = xml::table(xml::child("frames", &CoalesceRx::frames));
struct Coalesce {
    std::optional<CoalesceRx> rx{};
    xml::Rest rest{};
    bool operator==(const Coalesce&) const = default;
};
template <> inline constexpr auto fields<Coalesce> = xml::table(xml::child("rx", &Coalesce::rx));

struct Route {
    std::optional<std::string> family{}, address{}, netmask{}, prefix{}, gateway{}, metric{};
    xml::Rest rest{};
    bool operator==(const Route&) const = default;
};
template <> inline constexpr auto fields<Route> =
    xml::table(xml::attr("family", &Route::family), xml::attr("address", &Route::address),
               xml::attr("netmask", &Route::netmask), xml::attr("prefix", &Route::prefix),
               xml::attr("gateway", &Route::gateway), xml::attr("metric", &Route::metric));

struct Interface {
    std::optional<InterfaceType> type{}; ///< user when absent
    std::optional<YesNo> managed{};      ///< hostdev
    std::optional<YesNo> trust_guest_rx_filters{};
    std::optional<InterfaceMac> mac{};
    std::optional<InterfaceSource> source{};
    std::optional<Vlan> vlan{};
    std::optional<VirtualPort> virtualport{};
    std::optional<Bandwidth> bandwidth{};
    std::optional<PortOptions> port{};
    std::vector<IpAddress> ips{};
    std::vector<Route> routes{};
    std::optional<ScriptPath> script{}, downscript{};
    std::optional<InterfaceTarget> target{};
    std::optional<GuestDev> guest{};
    std::optional<InterfaceModel> model{};
    std::optional<InterfaceDriver> driver{};
    std::optional<InterfaceBackend> backend{};
    std::optional<FilterRef> filterref{};
    std::optional<InterfaceTune> tune{};
    std::optional<Teaming> teaming{};
    std::optional<LinkState> link{};
    std::optional<Mtu> mtu{};
    std::optional<Coalesce> coalesce{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Interface&) const = default;
};
/// <driver> comes right after <mac> for an assigned card, after <model> for the others.
template <bool Assigned> inline constexpr auto interface_driver = xml::special<Interface>(
    [](std::string_view name, const xml::Node* child) { return child && name == "driver"; },
    [](const xml::Node& n, Interface& out, xml::Flavour flavour) -> Result<> {
        if (const auto* node = n.child("driver"))
            out.driver = TRY(xml::parse<InterfaceDriver>(*node, flavour));
        return {};
    },
    [](const Interface& v, xml::Node& n, const xml::Style& style) {
        if (v.driver && (v.type == InterfaceType::hostdev) == Assigned)
            n.children.push_back(xml::formatted(*v.driver, "driver", style));
    });
template <> inline constexpr auto fields<Interface> = xml::table(
    xml::attr("type", &Interface::type), xml::attr("managed", &Interface::managed),
    xml::attr("trustGuestRxFilters", &Interface::trust_guest_rx_filters), xml::child("mac", &Interface::mac),
    interface_driver<true>, xml::child("source", &Interface::source), xml::child("vlan", &Interface::vlan),
    xml::child("virtualport", &Interface::virtualport), xml::child("bandwidth", &Interface::bandwidth),
    xml::child("port", &Interface::port), xml::child("ip", &Interface::ips),
    xml::child("route", &Interface::routes), xml::child("script", &Interface::script),
    xml::child("downscript", &Interface::downscript), xml::child("target", &Interface::target),
    xml::child("guest", &Interface::guest), xml::child("model", &Interface::model), interface_driver<false>,
    xml::child("backend", &Interface::backend), xml::child("filterref", &Interface::filterref),
    xml::child("tune", &Interface::tune), xml::child("teaming", &Interface::teaming),
    xml::child("link", &Interface::link), xml::child("mtu", &Interface::mtu),
    xml::child("coalesce", &Interface::coalesce), xml::embed(&Interface::info));
template <> inline constexpr const char* element<Interface> = "interface";

} // namespace cloister
