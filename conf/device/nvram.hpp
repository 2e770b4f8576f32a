/// <nvram>: the NVRAM device of pSeries guests; x86 guests have none.
/// Source: https://libvirt.org/formatdomain.html#nvram-device
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

struct Nvram {
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Nvram&) const = default;
};
template <> inline constexpr auto fields<Nvram> = xml::table(xml::embed(&Nvram::info));
template <> inline constexpr const char* element<Nvram> = "nvram";

} // namespace cloister
