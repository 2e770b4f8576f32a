/// The life of a domain: a pure, total function from (what it is, what happened) to (what it becomes, what to
/// do). Source: facts/behaviour.md E.4 (numbers are protocol), F.3 (QEMU's events).
#pragma once

#include "conf/base/names.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace cloister {

/// virDomainState: the values are protocol.
enum class State : int {
    no_state = 0,
    running = 1,
    blocked = 2,
    paused = 3,
    shutdown = 4, ///< being shut down
    shutoff = 5,
    crashed = 6,
    pm_suspended = 7,
};
template <> inline constexpr auto names<State> = make_names<State>(
    {"no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended"});

enum class RunningReason : int {
    unknown,
    booted,
    migrated,
    restored,
    from_snapshot,
    unpaused,
    migration_canceled,
    save_canceled,
    wakeup,
    crashed,
    post_copy
};
enum class PausedReason : int {
    unknown,
    user,
    migration,
    save,
    dump,
    io_error,
    watchdog,
    from_snapshot,
    shutting_down,
    snapshot,
    crashed,
    starting_up,
    post_copy
};
enum class ShutdownReason : int { unknown, user };
enum class ShutoffReason : int {
    unknown,
    shutdown,
    destroyed,
    crashed,
    migrated,
    saved,
    failed,
    from_snapshot,
    daemon
};
enum class CrashedReason : int { unknown, panicked };

/// What a domain is, and since when for what reason: virDomainGetState's pair.
struct Status {
    State state = State::shutoff;
    int reason = 0;
    constexpr Status() = default;
    constexpr Status(RunningReason r) : state(State::running), reason(static_cast<int>(r)) {}
    constexpr Status(PausedReason r) : state(State::paused), reason(static_cast<int>(r)) {}
    constexpr Status(ShutdownReason r) : state(State::shutdown), reason(static_cast<int>(r)) {}
    constexpr Status(ShutoffReason r) : state(State::shutoff), reason(static_cast<int>(r)) {}
    constexpr Status(CrashedReason r) : state(State::crashed), reason(static_cast<int>(r)) {}
    constexpr Status(State s, int r) : state(s), reason(r) {}
    constexpr bool operator==(const Status&) const = default;
};

/// The texts of a status file, as libvirt writes them: "running", "paused", "shutoff" …
std::string_view state_text(State state);
State state_of(std::string_view text);
/// "booted", "user", "starting up", "crashed" …; "unknown" for what has no name.
std::string_view reason_text(const Status& status);
Status status_of(std::string_view state, std::string_view reason);

/// virDomainEventType and its details: the values are protocol.
enum class Life : int {
    defined,
    undefined,
    started,
    suspended,
    resumed,
    stopped,
    shutdown,
    pm_suspended,
    crashed
};
enum class Defined : int { added, updated, renamed, from_snapshot };
enum class Undefined : int { removed, renamed };
enum class Started : int { booted, migrated, restored, from_snapshot, wakeup };
enum class Suspended : int {
    paused,
    migrated,
    io_error,
    watchdog,
    restored,
    from_snapshot,
    api_error,
    post_copy,
    post_copy_failed
};
enum class Resumed : int { unpaused, migrated, from_snapshot, post_copy, post_copy_failed };
enum class Stopped : int { shutdown, destroyed, crashed, migrated, saved, failed, from_snapshot };
enum class ShutDown : int { finished, guest, host };

/// One lifecycle event to emit.
struct LifeNote {
    Life what = Life::defined;
    int detail = 0;
    constexpr LifeNote() = default;
    template <class D> constexpr LifeNote(Life w, D d) : what(w), detail(static_cast<int>(d)) {}
    constexpr bool operator==(const LifeNote&) const = default;
};

/// What the definition wants done (<on_poweroff>, <on_reboot>, <on_crash>).
enum class Want { destroy, restart, preserve, rename_restart, coredump_destroy, coredump_restart };

/// What can happen to a running guest.
enum class Happened {
    qmp_stop,
    qmp_resume,
    qmp_reset,             ///< RESET
    qmp_shutdown,          ///< SHUTDOWN that does not say who: "finished"
    qmp_shutdown_by_guest, ///< SHUTDOWN, guest: true
    qmp_shutdown_by_host,  ///< SHUTDOWN, guest: false (a signal)
    qmp_suspend,
    qmp_suspend_disk,
    qmp_wakeup,
    watchdog_paused, ///< WATCHDOG, action: pause
    io_error_paused, ///< BLOCK_IO_ERROR, action: stop
    guest_panicked,
    guest_crash_loaded, ///< panicked, but its own crash kernel goes on
    process_gone,       ///< QEMU has exited, by itself or by our hand
};
inline constexpr int happened_count = static_cast<int>(Happened::process_gone) + 1;

/// What the step depends on besides the state.
struct Situation {
    Status status{};
    bool starting = false;    ///< before `cont`: stop, resume and reset are our own
    bool fake_reboot = false; ///< a reboot was asked for: the power-off that follows restarts the guest
    bool destroying = false;  ///< virDomainDestroy has been called
    bool shutdown_seen = false;
    Status paused_because{PausedReason::unknown}; ///< of the next STOP, prepared by who asked for it
    Status running_because{RunningReason::unpaused};
    Want on_poweroff = Want::destroy, on_crash = Want::destroy;
};

/// What the driver does after a step, in the order of the members.
struct Step {
    Status status{};
    std::vector<LifeNote> notes{};
    bool save_status = false;
    bool reboot_event = false;
    bool reset_and_continue = false; ///< system_reset, then cont: the fake reboot
    bool kill = false;               ///< end QEMU (SIGTERM first)
    bool release = false;            ///< give everything back: the guest is off
    bool operator==(const Step&) const = default;
};

/// Total: every pair has an answer; what cannot happen changes nothing.
Step step(const Situation& now, Happened what);

} // namespace cloister
