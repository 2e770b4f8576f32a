/// <hostdev>: a device of the host that is given to the guest: PCI, USB, SCSI, mediated.
/// Source: https://libvirt.org/formatdomain.html#host-device-assignment
#pragma once

#include "conf/device/interface.hpp"
#include "conf/part/device_info.hpp"
#include "conf/part/number.hpp"
#include "conf/part/source.hpp"

namespace cloister {

enum class HostdevMode { subsystem, capabilities };
template <> inline constexpr auto names<HostdevMode> = make_names<HostdevMode>({"subsystem", "capabilities"});
static_assert(names<HostdevMode>.covers(HostdevMode::capabilities));

struct HexId { ///< <vendor id='0x046d'/>
    xml::Hex<4> id{};
    xml::Rest rest{};
    bool operator==(const HexId&) const = default;
};
template <> inline constexpr auto fields<HexId> = xml::table(xml::attr("id", &HexId::id));

struct HostUsbAddress {
    std::optional<xml::Decimal> bus{}, device{};
    std::optional<std::string> port{};
    xml::Rest rest{};
    bool operator==(const HostUsbAddress&) const = default;
};
template <> inline constexpr auto fields<HostUsbAddress> =
    xml::table(xml::attr("bus", &HostUsbAddress::bus), xml::attr("device", &HostUsbAddress::device),
               xml::attr("port", &HostUsbAddress::port));
struct UsbHostSource {
    std::optional<std::string> startup_policy{}; ///< mandatory, requisite, optional
    std::optional<std::string> guest_reset{};    ///< on, off, uninitialized
    std::optional<YesNo> missing{};
    std::optional<HexId> vendor{}, product{};
    std::optional<HostUsbAddress> address{};
    xml::Rest rest{};
    bool operator==(const UsbHostSource&) const = default;
};
template <> inline constexpr auto fields<UsbHostSource> = xml::table(
    xml::attr("startupPolicy", &UsbHostSource::startup_policy),
    xml::attr("guestReset", &UsbHostSource::guest_reset),
    xml::live(xml::attr("missing", &UsbHostSource::missing)), xml::child("vendor", &UsbHostSource::vendor),
    xml::child("product", &UsbHostSource::product), xml::child("address", &UsbHostSource::address));
struct UsbHostdev {
    std::optional<UsbHostSource> source{};
    bool operator==(const UsbHostdev&) const = default;
};
template <> inline constexpr auto fields<UsbHostdev> = xml::table(xml::child("source", &UsbHostdev::source));

struct HostdevDriver {
    std::optional<std::string> name{}; ///< vfio, kvm, xen
    xml::Rest rest{};
    bool operator==(const HostdevDriver&) const = default;
};
template <> inline constexpr auto fields<HostdevDriver> = xml::table(xml::attr("name", &HostdevDriver::name));

struct PciHostSource {
    std::optional<Switch> write_filtering{};
    std::optional<HostPci> address{};
    xml::Rest rest{};
    bool operator==(const PciHostSource&) const = default;
};
template <> inline constexpr auto fields<PciHostSource> =
    xml::table(xml::attr("writeFiltering", &PciHostSource::write_filtering),
               xml::child("address", &PciHostSource::address));
struct PciHostdev {
    std::optional<HostdevDriver> driver{};
    std::optional<PciHostSource> source{};
    bool operator==(const PciHostdev&) const = default;
};
template <> inline constexpr auto fields<PciHostdev> =
    xml::table(xml::child("driver", &PciHostdev::driver), xml::child("source", &PciHostdev::source));

struct ScsiAdapter {
    std::optional<std::string> name{}; ///< scsi_host0
    xml::Rest rest{};
    bool operator==(const ScsiAdapter&) const = default;
};
template <> inline constexpr auto fields<ScsiAdapter> = xml::table(xml::attr("name", &ScsiAdapter::name));
struct ScsiHostAddress {
    std::optional<xml::Decimal> bus{}, target{};
    std::optional<std::uint64_t> unit{};
    xml::Rest rest{};
    bool operator==(const ScsiHostAddress&) const = default;
};
template <> inline constexpr auto fields<ScsiHostAddress> =
    xml::table(xml::attr("bus", &ScsiHostAddress::bus), xml::attr("target", &ScsiHostAddress::target),
               xml::attr("unit", &ScsiHostAddress::unit));
struct ScsiHostSource { ///< a unit of one of the host's adapters, or over iSCSI
    std::optional<std::string> protocol{}, name{};
    std::optional<ScsiAdapter> adapter{};
    std::optional<ScsiHostAddress> address{};
    std::vector<SourceHost> hosts{};
    std::optional<SourceAuth> auth{};
    std::optional<IscsiInitiator> initiator{};
    xml::Rest rest{};
    bool operator==(const ScsiHostSource&) const = default;
};
template <> inline constexpr auto fields<ScsiHostSource> = xml::table(
    xml::attr("protocol", &ScsiHostSource::protocol), xml::attr("name", &ScsiHostSource::name),
    xml::child("host", &ScsiHostSource::hosts), xml::child("auth", &ScsiHostSource::auth),
    xml::child("initiator", &ScsiHostSource::initiator), xml::child("adapter", &ScsiHostSource::adapter),
    xml::child("address", &ScsiHostSource::address));
struct ScsiHostdev {
    std::optional<ScsiHostSource> source{};
    bool operator==(const ScsiHostdev&) const = default;
};
template <> inline constexpr auto fields<ScsiHostdev> =
    xml::table(xml::child("source", &ScsiHostdev::source));

struct VhostScsiSource {
    std::optional<std::string> protocol{}; ///< vhost
    std::optional<std::string> wwpn{};     ///< naa.…
    xml::Rest rest{};
    bool operator==(const VhostScsiSource&) const = default;
};
template <> inline constexpr auto fields<VhostScsiSource> =
    xml::table(xml::attr("protocol", &VhostScsiSource::protocol), xml::attr("wwpn", &VhostScsiSource::wwpn));
struct VhostScsiHostdev {
    std::optional<VhostScsiSource> source{};
    bool operator==(const VhostScsiHostdev&) const = default;
};
template <> inline constexpr auto fields<VhostScsiHostdev> =
    xml::table(xml::child("source", &VhostScsiHostdev::source));

struct MdevAddress {
    std::optional<Uuid> uuid{};
    xml::Rest rest{};
    bool operator==(const MdevAddress&) const = default;
};
template <> inline constexpr auto fields<MdevAddress> = xml::table(xml::attr("uuid", &MdevAddress::uuid));
struct MdevSource {
    std::optional<MdevAddress> address{};
    xml::Rest rest{};
    bool operator==(const MdevSource&) const = default;
};
template <> inline constexpr auto fields<MdevSource> =
    xml::table(xml::child("address", &MdevSource::address));
struct MdevHostdev {
    std::optional<MdevSource> source{};
    bool operator==(const MdevHostdev&) const = default;
};
template <> inline constexpr auto fields<MdevHostdev> =
    xml::table(xml::child("source", &MdevHostdev::source));

struct Hostdev {
    std::optional<HostdevMode> mode{};
    std::variant<UsbHostdev, PciHostdev, ScsiHostdev, VhostScsiHostdev, MdevHostdev> host{};
    std::optional<YesNo> managed{};
    std::optional<std::string> sgio{};
    std::optional<YesNo> rawio{};
    std::optional<std::string> model{}; ///< vfio-pci, vfio-ccw, vfio-ap; scsi_host: virtio…
    std::optional<Switch> display{}, ramfb{};
    std::optional<Teaming> teaming{};
    bool readonly = false, shareable = false;
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Hostdev&) const = default;
};
template <> inline constexpr auto fields<Hostdev> =
    xml::table(xml::attr("mode", &Hostdev::mode),
               xml::by_attr("type", &Hostdev::host, xml::alt<UsbHostdev>("usb"), xml::alt<PciHostdev>("pci"),
                            xml::alt<ScsiHostdev>("scsi"), xml::alt<VhostScsiHostdev>("scsi_host"),
                            xml::alt<MdevHostdev>("mdev")),
               xml::attr("managed", &Hostdev::managed), xml::attr("sgio", &Hostdev::sgio),
               xml::attr("rawio", &Hostdev::rawio), xml::attr("model", &Hostdev::model),
               xml::attr("display", &Hostdev::display), xml::attr("ramfb", &Hostdev::ramfb),
               xml::child("teaming", &Hostdev::teaming), xml::flag("readonly", &Hostdev::readonly),
               xml::flag("shareable", &Hostdev::shareable), xml::embed(&Hostdev::info));
template <> inline constexpr const char* element<Hostdev> = "hostdev";

} // namespace cloister
