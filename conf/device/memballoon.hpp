/// <memballoon>: takes memory back from the guest, and reports its use.
/// Source: https://libvirt.org/formatdomain.html#memory-balloon-device
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/virtio_driver.hpp"

namespace cloister {

enum class BalloonModel { virtio, xen, none, virtio_transitional, virtio_non_transitional };
template <> inline constexpr auto names<BalloonModel> =
    make_names<BalloonModel>({"virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional"});
static_assert(names<BalloonModel>.covers(BalloonModel::virtio_non_transitional));

struct BalloonStats {
    std::int32_t period = 0; ///< seconds between the guest's reports; 0: none
    xml::Rest rest{};
    bool operator==(const BalloonStats&) const = default;
};
template <> inline constexpr auto fields<BalloonStats> =
    xml::table(xml::attr("period", &BalloonStats::period));

struct Memballoon {
    BalloonModel model = BalloonModel::virtio;
    std::optional<Switch> autodeflate{}, free_page_reporting{};
    std::optional<BalloonStats> stats{};
    DeviceInfo info{};
    std::optional<VirtioDriver> driver{};
    xml::Rest rest{};
    bool operator==(const Memballoon&) const = default;
};
template <> inline constexpr auto fields<Memballoon> = xml::table(
    xml::attr("model", &Memballoon::model), xml::attr("autodeflate", &Memballoon::autodeflate),
    xml::attr("freePageReporting", &Memballoon::free_page_reporting), xml::child("stats", &Memballoon::stats),
    xml::embed(&Memballoon::info), xml::child("driver", &Memballoon::driver));
template <> inline constexpr const char* element<Memballoon> = "memballoon";

} // namespace cloister
