/// <iommu>: the guest's I/O memory management unit.
/// Source: https://libvirt.org/formatdomain.html#iommu-devices
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class IommuModel { intel, smmuv3, virtio };
template <> inline constexpr auto names<IommuModel> = make_names<IommuModel>({"intel", "smmuv3", "virtio"});
static_assert(names<IommuModel>.covers(IommuModel::virtio));

struct IommuDriver {
    std::optional<Switch> intremap{}, caching_mode{}, eim{}, iotlb{};
    std::optional<std::uint32_t> aw_bits{};
    xml::Rest rest{};
    bool operator==(const IommuDriver&) const = default;
};
template <> inline constexpr auto fields<IommuDriver> =
    xml::table(xml::attr("intremap", &IommuDriver::intremap),
               xml::attr("caching_mode", &IommuDriver::caching_mode), xml::attr("eim", &IommuDriver::eim),
               xml::attr("iotlb", &IommuDriver::iotlb), xml::attr("aw_bits", &IommuDriver::aw_bits));

struct Iommu {
    IommuModel model = IommuModel::intel;
    std::optional<IommuDriver> driver{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Iommu&) const = default;
};
template <> inline constexpr auto fields<Iommu> = xml::table(
    xml::attr("model", &Iommu::model), xml::child("driver", &Iommu::driver), xml::embed(&Iommu::info));
template <> inline constexpr const char* element<Iommu> = "iommu";

} // namespace cloister
