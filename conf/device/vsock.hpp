/// <vsock>: sockets between host and guest without a network.
/// Source: https://libvirt.org/formatdomain.html#vsock
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/virtio_driver.hpp"

namespace cloister {

enum class VsockModel { virtio, virtio_transitional, virtio_non_transitional };
template <> inline constexpr auto names<VsockModel> =
    make_names<VsockModel>({"virtio", "virtio-transitional", "virtio-non-transitional"});
static_assert(names<VsockModel>.covers(VsockModel::virtio_non_transitional));

struct VsockCid {
    std::optional<YesNo> automatic{};
    std::optional<std::uint32_t> address{}; ///< ≥ 3; with automatic: what the running guest got
    xml::Rest rest{};
    bool operator==(const VsockCid&) const = default;
};
template <> inline constexpr auto fields<VsockCid> =
    xml::table(xml::attr("auto", &VsockCid::automatic), xml::attr("address", &VsockCid::address));

struct Vsock {
    std::optional<VsockModel> model{};
    std::optional<VsockCid> cid{};
    DeviceInfo info{};
    std::optional<VirtioDriver> driver{};
    xml::Rest rest{};
    bool operator==(const Vsock&) const = default;
};
template <> inline constexpr auto fields<Vsock> =
    xml::table(xml::attr("model", &Vsock::model), xml::child("cid", &Vsock::cid), xml::embed(&Vsock::info),
               xml::child("driver", &Vsock::driver));
template <> inline constexpr const char* element<Vsock> = "vsock";

} // namespace cloister
