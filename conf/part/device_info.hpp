/// What nearly every device carries besides its own: boot order, alias, option ROM, ACPI index, address.
#pragma once

#include "conf/part/address.hpp"

namespace cloister {

/// Specialise for each device: the name of its element below <devices>.
template <class D> inline constexpr const char* element = nullptr;

struct Alias {
    std::string name{};
    xml::Rest rest{};
    bool operator==(const Alias&) const = default;
};
template <> inline constexpr auto fields<Alias> = xml::table(xml::attr("name", &Alias::name));

struct DeviceBoot {
    std::uint32_t order = 0;
    std::optional<std::string> loadparm{};
    xml::Rest rest{};
    bool operator==(const DeviceBoot&) const = default;
};
template <> inline constexpr auto fields<DeviceBoot> =
    xml::table(xml::attr("order", &DeviceBoot::order), xml::attr("loadparm", &DeviceBoot::loadparm));

struct Rom {
    std::optional<YesNo> enabled{};
    std::optional<Switch> bar{};
    std::optional<std::string> file{};
    xml::Rest rest{};
    bool operator==(const Rom&) const = default;
};
template <> inline constexpr auto fields<Rom> = xml::table(
    xml::attr("enabled", &Rom::enabled), xml::attr("bar", &Rom::bar), xml::attr("file", &Rom::file));

struct AcpiIndex {
    std::uint32_t index = 0;
    xml::Rest rest{};
    bool operator==(const AcpiIndex&) const = default;
};
template <> inline constexpr auto fields<AcpiIndex> = xml::table(xml::attr("index", &AcpiIndex::index));

/// Embedded at the end of a device's own fields: xml::embed(&Rng::info).
struct DeviceInfo {
    std::optional<DeviceBoot> boot{};
    std::optional<Alias> alias{}; ///< in a stored definition only the user's own (ua-…)
    std::optional<Rom> rom{};
    std::optional<AcpiIndex> acpi{};
    std::optional<Address> address{};
    bool operator==(const DeviceInfo&) const = default;
};
template <> inline constexpr auto fields<DeviceInfo> =
    xml::table(xml::child("boot", &DeviceInfo::boot), xml::child("alias", &DeviceInfo::alias),
               xml::child("rom", &DeviceInfo::rom), xml::child("acpi", &DeviceInfo::acpi),
               xml::child("address", &DeviceInfo::address));

/// The address of this kind, or null.
template <class A> A* address_of(DeviceInfo& info) {
    return info.address ? std::get_if<A>(&info.address->where) : nullptr;
}
template <class A> const A* address_of(const DeviceInfo& info) {
    return info.address ? std::get_if<A>(&info.address->where) : nullptr;
}

} // namespace cloister
