/// <clock>: what time the guest sees, and its timers.
/// Source: https://libvirt.org/formatdomain.html#time-keeping
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

enum class ClockOffset { utc, localtime, variable, timezone, absolute };
template <> inline constexpr auto names<ClockOffset> =
    make_names<ClockOffset>({"utc", "localtime", "variable", "timezone", "absolute"});
static_assert(names<ClockOffset>.covers(ClockOffset::absolute));

enum class TimerName { platform, pit, rtc, hpet, tsc, kvmclock, hypervclock, armvtimer };
template <> inline constexpr auto names<TimerName> =
    make_names<TimerName>({"platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"});
static_assert(names<TimerName>.covers(TimerName::armvtimer));
enum class TickPolicy { delay, catchup, merge, discard };
template <> inline constexpr auto names<TickPolicy> =
    make_names<TickPolicy>({"delay", "catchup", "merge", "discard"});
static_assert(names<TickPolicy>.covers(TickPolicy::discard));
enum class TimerTrack { boot, guest, wall, realtime };
template <> inline constexpr auto names<TimerTrack> =
    make_names<TimerTrack>({"boot", "guest", "wall", "realtime"});
static_assert(names<TimerTrack>.covers(TimerTrack::realtime));
enum class TimerMode { auto_, native, emulate, paravirt, smpsafe };
template <> inline constexpr auto names<TimerMode> =
    make_names<TimerMode>({"auto", "native", "emulate", "paravirt", "smpsafe"});
static_assert(names<TimerMode>.covers(TimerMode::smpsafe));

struct TimerCatchup {
    std::optional<std::uint64_t> threshold{}, slew{}, limit{};
    xml::Rest rest{};
    bool operator==(const TimerCatchup&) const = default;
};
template <> inline constexpr auto fields<TimerCatchup> =
    xml::table(xml::attr("threshold", &TimerCatchup::threshold), xml::attr("slew", &TimerCatchup::slew),
               xml::attr("limit", &TimerCatchup::limit));
struct Timer {
    TimerName name = TimerName::rtc;
    std::optional<YesNo> present{};
    std::optional<TickPolicy> tickpolicy{};
    std::optional<TimerTrack> track{};
    std::optional<std::uint64_t> frequency_hz{};
    std::optional<TimerMode> mode{};
    std::optional<TimerCatchup> catchup{};
    xml::Rest rest{};
    bool operator==(const Timer&) const = default;
};
template <> inline constexpr auto fields<Timer> =
    xml::table(xml::attr("name", &Timer::name), xml::attr("present", &Timer::present),
               xml::attr("tickpolicy", &Timer::tickpolicy), xml::attr("track", &Timer::track),
               xml::attr("frequency", &Timer::frequency_hz), xml::attr("mode", &Timer::mode),
               xml::child("catchup", &Timer::catchup));

struct Clock {
    std::optional<ClockOffset> offset{};
    std::optional<std::string> adjustment{}; ///< seconds, or "reset"
    std::optional<std::string> basis{};      ///< "utc", "localtime"
    std::optional<std::string> timezone{};
    std::optional<std::int64_t> start{}; ///< of offset absolute: seconds since the epoch
    std::vector<Timer> timers{};
    xml::Rest rest{};
    bool operator==(const Clock&) const = default;
};
template <> inline constexpr auto fields<Clock> =
    xml::table(xml::attr("offset", &Clock::offset), xml::attr("adjustment", &Clock::adjustment),
               xml::attr("basis", &Clock::basis), xml::attr("timezone", &Clock::timezone),
               xml::attr("start", &Clock::start), xml::child("timer", &Clock::timers));

} // namespace cloister
