/// <watchdog>: what happens when the guest stops answering.
/// Source: https://libvirt.org/formatdomain.html#watchdog-devices
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class WatchdogModel { i6300esb, ib700, diag288, itco };
template <> inline constexpr auto names<WatchdogModel> =
    make_names<WatchdogModel>({"i6300esb", "ib700", "diag288", "itco"});
static_assert(names<WatchdogModel>.covers(WatchdogModel::itco));

enum class WatchdogAction { reset, shutdown, poweroff, pause, dump, none, inject_nmi };
template <> inline constexpr auto names<WatchdogAction> =
    make_names<WatchdogAction>({"reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"});
static_assert(names<WatchdogAction>.covers(WatchdogAction::inject_nmi));

struct Watchdog {
    WatchdogModel model = WatchdogModel::i6300esb;
    std::optional<WatchdogAction> action{}; ///< reset when absent
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Watchdog&) const = default;
};
template <> inline constexpr auto fields<Watchdog> =
    xml::table(xml::attr("model", &Watchdog::model), xml::attr("action", &Watchdog::action),
               xml::embed(&Watchdog::info));
template <> inline constexpr const char* element<Watchdog> = "watchdog";

} // namespace cloister
