/// <parallel>: a parallel port of the guest.
/// Source: https://libvirt.org/formatdomain.html#parallel-port
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"

namespace cloister {

struct ParallelTarget {
    std::optional<std::uint32_t> port{};
    xml::Rest rest{};
    bool operator==(const ParallelTarget&) const = default;
};
template <> inline constexpr auto fields<ParallelTarget> =
    xml::table(xml::attr("port", &ParallelTarget::port));

struct Parallel {
    Chardev chardev{};
    std::optional<ChardevLog> log{};
    std::optional<ParallelTarget> target{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Parallel&) const = default;
};
template <> inline constexpr auto fields<Parallel> =
    xml::table(xml::embed(&Parallel::chardev), xml::child("log", &Parallel::log),
               xml::child("target", &Parallel::target), xml::embed(&Parallel::info));
template <> inline constexpr const char* element<Parallel> = "parallel";

} // namespace cloister
