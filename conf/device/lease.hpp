/// <lease>: a lock that the guest's lock manager holds while it runs.
/// Source: https://libvirt.org/formatdomain.html#device-leases
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

struct LeaseTarget {
    std::string path{};
    std::optional<std::uint64_t> offset{};
    xml::Rest rest{};
    bool operator==(const LeaseTarget&) const = default;
};
template <> inline constexpr auto fields<LeaseTarget> =
    xml::table(xml::attr("path", &LeaseTarget::path), xml::attr("offset", &LeaseTarget::offset));

struct Lease {
    std::optional<std::string> lockspace{}, key{};
    std::optional<LeaseTarget> target{};
    xml::Rest rest{};
    bool operator==(const Lease&) const = default;
};
template <> inline constexpr auto fields<Lease> =
    xml::table(xml::leaf("lockspace", &Lease::lockspace), xml::leaf("key", &Lease::key),
               xml::child("target", &Lease::target));
template <> inline constexpr const char* element<Lease> = "lease";

} // namespace cloister
