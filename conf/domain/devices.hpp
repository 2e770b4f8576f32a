/// Finding devices in a Domain.
#pragma once

#include "conf/domain/domain.hpp"

namespace cloister {

/// The devices of one type in document order; valid while the list is not changed.
template <class D> std::vector<D*> devices_of(Domain& domain) {
    std::vector<D*> found;
    for (auto& device : domain.devices.list)
        if (auto* d = std::get_if<D>(&device)) found.push_back(d);
    return found;
}
template <class D> std::vector<const D*> devices_of(const Domain& domain) {
    std::vector<const D*> found;
    for (const auto& device : domain.devices.list)
        if (const auto* d = std::get_if<D>(&device)) found.push_back(d);
    return found;
}
/// Calls f(D&) for each device of one type, in document order.
template <class D, class DomainRef, class F> void for_each(DomainRef& domain, F&& f) {
    for (auto& device : domain.devices.list)
        if (auto* d = std::get_if<D>(&device)) f(*d);
}

/// What the device carries besides its own (address, alias, boot order); null for those without.
DeviceInfo* info_of(Device& device);
const DeviceInfo* info_of(const Device& device);

/// The name of the device's element below <devices>: "disk", "interface" …
std::string_view element_of(const Device& device);

/// The alias, or "".
std::string_view alias_of(const Device& device);

} // namespace cloister
