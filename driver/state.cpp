#include "driver/state.hpp"

#include <span>

namespace cloister {

namespace {

using Texts = std::span<const std::string_view>;
constexpr std::string_view plain_reasons[]{"unknown"};
constexpr std::string_view running_reasons[]{
    "unknown",       "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled",
    "save canceled", "wakeup", "crashed",  "post-copy"};
constexpr std::string_view paused_reasons[]{
    "unknown",       "user",     "migration", "save",     "dump",        "ioerror",  "watchdog",
    "from snapshot", "shutdown", "snapshot",  "panicked", "starting up", "post-copy"};
constexpr std::string_view shutdown_reasons[]{"unknown", "user"};
constexpr std::string_view shutoff_reasons[]{"unknown", "shutdown", "destroyed",     "crashed", "migrated",
                                             "saved",   "failed",   "from snapshot", "daemon"};
constexpr std::string_view crashed_reasons[]{"unknown", "panicked"};
constexpr std::string_view states[]{"nostate",  "running", "blocked", "paused",
                                    "shutdown", "shutoff", "crashed", "pmsuspended"};

Texts reasons_of(State state) {
    switch (state) {
    case State::running: return running_reasons;
    case State::paused: return paused_reasons;
    case State::shutdown: return shutdown_reasons;
    case State::shutoff: return shutoff_reasons;
    case State::crashed: return crashed_reasons;
    case State::no_state:
    case State::blocked:
    case State::pm_suspended: break;
    }
    return plain_reasons;
}

LifeNote suspended_note(const Status& because) {
    switch (static_cast<PausedReason>(because.reason)) {
    case PausedReason::migration: return {Life::suspended, Suspended::migrated};
    case PausedReason::io_error: return {Life::suspended, Suspended::io_error};
    case PausedReason::watchdog: return {Life::suspended, Suspended::watchdog};
    case PausedReason::from_snapshot: return {Life::suspended, Suspended::from_snapshot};
    case PausedReason::post_copy: return {Life::suspended, Suspended::post_copy};
    case PausedReason::unknown:
    case PausedReason::user:
    case PausedReason::save:
    case PausedReason::dump:
    case PausedReason::shutting_down:
    case PausedReason::snapshot:
    case PausedReason::crashed:
    case PausedReason::starting_up: break;
    }
    return {Life::suspended, Suspended::paused};
}

Step stay(const Situation& now) { return {.status = now.status}; }

Step paused(const Situation& now, const Status& because) {
    // After SHUTDOWN QEMU stops too: that is part of the same thing.
    if (now.starting || now.shutdown_seen || now.status.state != State::running) return stay(now);
    return {.status = because, .notes = {suspended_note(because)}, .save_status = true};
}

Step resumed(const Situation& now) {
    // QEMU lets a guest that crashed go on, when somebody says so.
    if (now.starting || (now.status.state != State::paused && now.status.state != State::crashed))
        return stay(now);
    const auto from_snapshot = now.running_because == Status{RunningReason::from_snapshot};
    return {.status = now.running_because,
            .notes = {{Life::resumed, from_snapshot ? Resumed::from_snapshot : Resumed::unpaused}},
            .save_status = true};
}

Step shut_down(const Situation& now, ShutDown how) {
    // A crashed guest that is being ended has not been shut down.
    if (now.status.state == State::shutoff || now.status.state == State::shutdown ||
        now.status.state == State::crashed)
        return stay(now);
    const bool restart = now.fake_reboot || now.on_poweroff == Want::restart;
    // A signal from the host means "end", whatever the definition says of power-offs.
    if (restart && how != ShutDown::host && !now.destroying)
        return {.status = now.status, .save_status = true, .reset_and_continue = true};
    return {.status = ShutdownReason::unknown,
            .notes = {{Life::shutdown, how}},
            .save_status = true,
            .kill = now.on_poweroff != Want::preserve && !now.destroying};
}

Step suspended_to(const Situation& now, int where) {
    if (now.starting || now.status.state != State::running) return stay(now);
    return {.status = Status{State::pm_suspended, 0},
            .notes = {{Life::pm_suspended, where}},
            .save_status = true};
}

Step panicked(const Situation& now) {
    if (now.status.state == State::shutoff) return stay(now);
    Step next{.status = CrashedReason::panicked, .save_status = true};
    if (now.status.state == State::running) next.notes.push_back({Life::suspended, Suspended::paused});
    next.notes.push_back({Life::crashed, 0});
    switch (now.on_crash) {
    case Want::destroy:
    case Want::coredump_destroy: next.kill = !now.destroying; break;
    case Want::restart:
    case Want::coredump_restart:
    case Want::rename_restart: next.reset_and_continue = true; break;
    case Want::preserve: break;
    }
    return next;
}

Step gone(const Situation& now) {
    if (now.status.state == State::shutoff) return stay(now);
    const auto off = [](ShutoffReason why, Stopped detail) {
        return Step{.status = why, .notes = {{Life::stopped, detail}}, .release = true};
    };
    if (now.destroying) return off(ShutoffReason::destroyed, Stopped::destroyed);
    if (now.status.state == State::crashed) return off(ShutoffReason::crashed, Stopped::crashed);
    if (now.shutdown_seen) return off(ShutoffReason::shutdown, Stopped::shutdown);
    return off(ShutoffReason::crashed, Stopped::failed);
}

} // namespace

std::string_view state_text(State state) { return states[static_cast<std::size_t>(state)]; }

State state_of(std::string_view text) {
    for (std::size_t i = 0; i < std::size(states); ++i)
        if (states[i] == text) return static_cast<State>(i);
    return State::no_state;
}

std::string_view reason_text(const Status& status) {
    const auto texts = reasons_of(status.state);
    const auto at = static_cast<std::size_t>(status.reason);
    return at < texts.size() ? texts[at] : texts[0];
}

Status status_of(std::string_view state, std::string_view reason) {
    Status out{state_of(state), 0};
    const auto texts = reasons_of(out.state);
    for (std::size_t i = 0; i < texts.size(); ++i)
        if (texts[i] == reason) out.reason = static_cast<int>(i);
    return out;
}

Step step(const Situation& now, Happened what) {
    switch (what) {
    case Happened::qmp_stop: return paused(now, now.paused_because);
    case Happened::qmp_resume: return resumed(now);
    case Happened::qmp_reset: {
        auto next = stay(now);
        next.reboot_event = next.save_status = !now.starting && now.status.state != State::shutoff;
        return next;
    }
    case Happened::qmp_shutdown: return shut_down(now, ShutDown::finished);
    case Happened::qmp_shutdown_by_guest: return shut_down(now, ShutDown::guest);
    case Happened::qmp_shutdown_by_host: return shut_down(now, ShutDown::host);
    case Happened::qmp_suspend: return suspended_to(now, 0);
    case Happened::qmp_suspend_disk: return suspended_to(now, 1);
    case Happened::qmp_wakeup:
        if (now.status.state != State::pm_suspended) return stay(now);
        return {.status = RunningReason::wakeup,
                .notes = {{Life::started, Started::wakeup}},
                .save_status = true};
    case Happened::watchdog_paused: return paused(now, PausedReason::watchdog);
    case Happened::io_error_paused: return paused(now, PausedReason::io_error);
    case Happened::guest_panicked: return panicked(now);
    case Happened::guest_crash_loaded: {
        auto next = stay(now);
        if (now.status.state != State::shutoff) next.notes = {{Life::crashed, 1}};
        return next;
    }
    case Happened::process_gone: return gone(now);
    }
    return stay(now);
}

} // namespace cloister
