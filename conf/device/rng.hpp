/// <rng>: a source of entropy for the guest.
/// Source: https://libvirt.org/formatdomain.html#random-number-generator-device
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"
#include "conf/part/virtio_driver.hpp"

namespace cloister {

enum class RngModel { virtio, virtio_transitional, virtio_non_transitional };
template <> inline constexpr auto names<RngModel> =
    make_names<RngModel>({"virtio", "virtio-transitional", "virtio-non-transitional"});
static_assert(names<RngModel>.covers(RngModel::virtio_non_transitional));

struct RngRate {
    std::uint32_t bytes = 0;                  ///< per period
    std::optional<std::uint32_t> period_ms{}; ///< QEMU's default when absent: 1000
    xml::Rest rest{};
    bool operator==(const RngRate&) const = default;
};
template <> inline constexpr auto fields<RngRate> =
    xml::table(xml::attr("bytes", &RngRate::bytes), xml::attr("period", &RngRate::period_ms));

struct RngRandom { ///< reads a host character device
    std::optional<std::string> path{};
    xml::Rest rest{};
    bool operator==(const RngRandom&) const = default;
};
template <> inline constexpr auto fields<RngRandom> = xml::table(xml::content(&RngRandom::path));

struct RngBuiltin { ///< QEMU's own generator: needs nothing from the host
    xml::Rest rest{};
    bool operator==(const RngBuiltin&) const = default;
};
template <> inline constexpr auto fields<RngBuiltin> = xml::table();

struct RngEgd { ///< asks an entropy gathering daemon
    Chardev chardev{};
    xml::Rest rest{};
    bool operator==(const RngEgd&) const = default;
};
template <> inline constexpr auto fields<RngEgd> = xml::table(xml::embed(&RngEgd::chardev));

struct Rng {
    RngModel model = RngModel::virtio;
    std::optional<RngRate> rate{};
    std::variant<RngRandom, RngEgd, RngBuiltin> backend{};
    std::optional<VirtioDriver> driver{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Rng&) const = default;
};
template <> inline constexpr auto fields<Rng> =
    xml::table(xml::attr("model", &Rng::model), xml::child("rate", &Rng::rate),
               xml::one_of("backend", "model", &Rng::backend, xml::alt<RngRandom>("random"),
                           xml::alt<RngEgd>("egd"), xml::alt<RngBuiltin>("builtin")),
               xml::child("driver", &Rng::driver), xml::embed(&Rng::info));
template <> inline constexpr const char* element<Rng> = "rng";

} // namespace cloister
