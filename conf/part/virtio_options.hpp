/// What every virtio device's <driver> may say about its transport: for xml::embed in that <driver>.
/// Source: https://libvirt.org/formatdomain.html#virtio-related-options
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

struct VirtioOptions {
    std::optional<Switch> iommu{}, ats{}, packed{}, page_per_vq{};
    bool operator==(const VirtioOptions&) const = default;
};
template <> inline constexpr auto fields<VirtioOptions> = xml::table(
    xml::attr("iommu", &VirtioOptions::iommu), xml::attr("ats", &VirtioOptions::ats),
    xml::attr("packed", &VirtioOptions::packed), xml::attr("page_per_vq", &VirtioOptions::page_per_vq));

} // namespace cloister
