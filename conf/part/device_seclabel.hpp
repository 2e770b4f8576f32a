/// <seclabel> inside a <source>: what one security model does differently for one file.
/// Source: https://libvirt.org/formatdomain.html#security-label
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

struct DeviceSeclabel {
    std::optional<std::string> model{}; ///< absent: every model
    std::optional<YesNo> labelskip{};   ///< running guests: the label could not be set
    std::optional<YesNo> relabel{};
    std::optional<std::string> label{};
    xml::Rest rest{};
    bool operator==(const DeviceSeclabel&) const = default;
};
template <> inline constexpr auto fields<DeviceSeclabel> = std::tuple{
    xml::attr("model", &DeviceSeclabel::model),
    xml::attr("labelskip", &DeviceSeclabel::labelskip),
    xml::attr("relabel", &DeviceSeclabel::relabel),
    xml::leaf("label", &DeviceSeclabel::label),
};

} // namespace cloister
