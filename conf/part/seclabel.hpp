/// <seclabel>: how a domain, or one resource of it, is labelled by a security driver.
/// Source: https://libvirt.org/formatdomain.html#security-label
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

enum class SecLabelType { none, dynamic, static_ };
template <> inline constexpr auto names<SecLabelType> =
    make_names<SecLabelType>({"none", "dynamic", "static"});
static_assert(names<SecLabelType>.covers(SecLabelType::static_));

/// Of the whole domain: one per model.
struct SecLabel {
    std::optional<SecLabelType> type{};
    std::optional<std::string> model{}; ///< "selinux", "dac", "none" …
    std::optional<YesNo> relabel{};
    std::optional<std::string> label{};
    std::optional<std::string> imagelabel{};
    std::optional<std::string> baselabel{};
    xml::Rest rest{};
    bool operator==(const SecLabel&) const = default;
};
template <> inline constexpr auto fields<SecLabel> = xml::table(
    xml::attr("type", &SecLabel::type), xml::attr("model", &SecLabel::model),
    xml::attr("relabel", &SecLabel::relabel), xml::leaf("label", &SecLabel::label),
    xml::live(xml::leaf("imagelabel", &SecLabel::imagelabel)), xml::leaf("baselabel", &SecLabel::baselabel));

/// Inside a device's <source>: what one security model does differently for that one resource.
struct DeviceSecLabel {
    std::optional<std::string> model{}; ///< absent: every model
    std::optional<YesNo> labelskip{};   ///< running guests: the label could not be set
    std::optional<YesNo> relabel{};
    std::optional<std::string> label{};
    xml::Rest rest{};
    bool operator==(const DeviceSecLabel&) const = default;
};
template <> inline constexpr auto fields<DeviceSecLabel> = xml::table(
    xml::attr("model", &DeviceSecLabel::model), xml::live(xml::attr("labelskip", &DeviceSecLabel::labelskip)),
    xml::attr("relabel", &DeviceSecLabel::relabel), xml::leaf("label", &DeviceSecLabel::label));

} // namespace cloister
