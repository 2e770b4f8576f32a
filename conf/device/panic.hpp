/// <panic>: lets the guest say that its kernel crashed.
/// Source: https://libvirt.org/formatdomain.html#panic-device
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class PanicModel { isa, pseries, hyperv, s390, pvpanic };
template <> inline constexpr auto names<PanicModel> =
    make_names<PanicModel>({"isa", "pseries", "hyperv", "s390", "pvpanic"});
static_assert(names<PanicModel>.covers(PanicModel::pvpanic));

struct Panic {
    std::optional<PanicModel> model{}; ///< isa when absent
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Panic&) const = default;
};
template <> inline constexpr auto fields<Panic> =
    xml::table(xml::attr("model", &Panic::model), xml::embed(&Panic::info));
template <> inline constexpr const char* element<Panic> = "panic";

} // namespace cloister
