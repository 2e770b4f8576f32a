/// <address>: where a device sits on the guest's buses.
/// Source: https://libvirt.org/formatdomain.html#device-addresses
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

struct PciAddress {
    std::optional<xml::Hex<4>> domain{};
    std::optional<xml::Hex<2>> bus{};
    std::optional<xml::Hex<2>> slot{};
    std::optional<xml::Hex<1>> function{};
    std::optional<Switch> multifunction{};
    bool operator==(const PciAddress&) const = default;
};
template <> inline constexpr auto fields<PciAddress> =
    xml::table(xml::attr("domain", &PciAddress::domain), xml::attr("bus", &PciAddress::bus),
               xml::attr("slot", &PciAddress::slot), xml::attr("function", &PciAddress::function),
               xml::attr("multifunction", &PciAddress::multifunction));

struct DriveAddress {
    std::optional<std::uint32_t> controller{}, bus{}, target{}, unit{};
    bool operator==(const DriveAddress&) const = default;
};
template <> inline constexpr auto fields<DriveAddress> =
    xml::table(xml::attr("controller", &DriveAddress::controller), xml::attr("bus", &DriveAddress::bus),
               xml::attr("target", &DriveAddress::target), xml::attr("unit", &DriveAddress::unit));

struct VirtioSerialAddress {
    std::optional<std::uint32_t> controller{}, bus{}, port{};
    bool operator==(const VirtioSerialAddress&) const = default;
};
template <> inline constexpr auto fields<VirtioSerialAddress> =
    xml::table(xml::attr("controller", &VirtioSerialAddress::controller),
               xml::attr("bus", &VirtioSerialAddress::bus), xml::attr("port", &VirtioSerialAddress::port));

struct CcidAddress {
    std::optional<std::uint32_t> controller{}, slot{};
    bool operator==(const CcidAddress&) const = default;
};
template <> inline constexpr auto fields<CcidAddress> =
    xml::table(xml::attr("controller", &CcidAddress::controller), xml::attr("slot", &CcidAddress::slot));

struct UsbAddress {
    std::optional<std::uint32_t> bus{};
    std::optional<std::string> port{}; ///< "1" or, behind hubs, "1.2.1"
    bool operator==(const UsbAddress&) const = default;
};
template <> inline constexpr auto fields<UsbAddress> =
    xml::table(xml::attr("bus", &UsbAddress::bus), xml::attr("port", &UsbAddress::port));

struct IsaAddress {
    std::optional<xml::Hex<1>> iobase{}, irq{};
    bool operator==(const IsaAddress&) const = default;
};
template <> inline constexpr auto fields<IsaAddress> =
    xml::table(xml::attr("iobase", &IsaAddress::iobase), xml::attr("irq", &IsaAddress::irq));

struct DimmAddress {
    std::optional<std::uint32_t> slot{};
    std::optional<xml::LongHex<1>> base{};
    bool operator==(const DimmAddress&) const = default;
};
template <> inline constexpr auto fields<DimmAddress> =
    xml::table(xml::attr("slot", &DimmAddress::slot), xml::attr("base", &DimmAddress::base));

/// Of the other architectures: kept and printed, never assigned by us.
struct CcwAddress {
    std::optional<xml::Hex<1>> cssid{}, ssid{};
    std::optional<xml::Hex<4>> devno{};
    bool operator==(const CcwAddress&) const = default;
};
template <> inline constexpr auto fields<CcwAddress> =
    xml::table(xml::attr("cssid", &CcwAddress::cssid), xml::attr("ssid", &CcwAddress::ssid),
               xml::attr("devno", &CcwAddress::devno));
struct SpaprVioAddress {
    std::optional<xml::LongHex<8>> reg{};
    bool operator==(const SpaprVioAddress&) const = default;
};
template <> inline constexpr auto fields<SpaprVioAddress> =
    xml::table(xml::attr("reg", &SpaprVioAddress::reg));
struct VirtioMmioAddress {
    bool operator==(const VirtioMmioAddress&) const = default;
};
template <> inline constexpr auto fields<VirtioMmioAddress> = xml::table();

/// The user wants the device kept in the definition but not plugged in.
struct Unassigned {
    bool operator==(const Unassigned&) const = default;
};
template <> inline constexpr auto fields<Unassigned> = xml::table();

/// Absent (monostate): to be assigned.
struct Address {
    std::variant<std::monostate, PciAddress, DriveAddress, VirtioSerialAddress, CcidAddress, UsbAddress,
                 IsaAddress, DimmAddress, CcwAddress, SpaprVioAddress, VirtioMmioAddress, Unassigned>
        where{};
    xml::Rest rest{};
    bool operator==(const Address&) const = default;
};
template <> inline constexpr auto fields<Address> = xml::table(
    xml::by_attr("type", &Address::where, xml::alt<PciAddress>("pci"), xml::alt<DriveAddress>("drive"),
                 xml::alt<VirtioSerialAddress>("virtio-serial"), xml::alt<CcidAddress>("ccid"),
                 xml::alt<UsbAddress>("usb"), xml::alt<IsaAddress>("isa"), xml::alt<DimmAddress>("dimm"),
                 xml::alt<CcwAddress>("ccw"), xml::alt<SpaprVioAddress>("spapr-vio"),
                 xml::alt<VirtioMmioAddress>("virtio-mmio"), xml::alt<Unassigned>("unassigned")));

} // namespace cloister
