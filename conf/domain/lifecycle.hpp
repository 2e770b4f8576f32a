/// What happens when the guest powers off, reboots or crashes; sleep states; performance events.
/// Source: https://libvirt.org/formatdomain.html#events-configuration
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

enum class LifecycleAction { destroy, restart, rename_restart, preserve, coredump_destroy, coredump_restart };
template <> inline constexpr auto names<LifecycleAction> = make_names<LifecycleAction>(
    {"destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"});
static_assert(names<LifecycleAction>.covers(LifecycleAction::coredump_restart));
enum class LockFailureAction { poweroff, restart, pause, ignore };
template <> inline constexpr auto names<LockFailureAction> =
    make_names<LockFailureAction>({"poweroff", "restart", "pause", "ignore"});
static_assert(names<LockFailureAction>.covers(LockFailureAction::ignore));

struct SleepState {
    std::optional<YesNo> enabled{};
    xml::Rest rest{};
    bool operator==(const SleepState&) const = default;
};
template <> inline constexpr auto fields<SleepState> = xml::table(xml::attr("enabled", &SleepState::enabled));
struct Pm {
    std::optional<SleepState> suspend_to_mem{}, suspend_to_disk{};
    xml::Rest rest{};
    bool operator==(const Pm&) const = default;
};
template <> inline constexpr auto fields<Pm> = xml::table(
    xml::child("suspend-to-mem", &Pm::suspend_to_mem), xml::child("suspend-to-disk", &Pm::suspend_to_disk));

struct PerfEvent {
    std::string name{};
    YesNo enabled = YesNo::no;
    xml::Rest rest{};
    bool operator==(const PerfEvent&) const = default;
};
template <> inline constexpr auto fields<PerfEvent> =
    xml::table(xml::attr("name", &PerfEvent::name), xml::attr("enabled", &PerfEvent::enabled));
struct Perf {
    std::vector<PerfEvent> events{};
    xml::Rest rest{};
    bool operator==(const Perf&) const = default;
};
template <> inline constexpr auto fields<Perf> = xml::table(xml::child("event", &Perf::events));

} // namespace cloister
