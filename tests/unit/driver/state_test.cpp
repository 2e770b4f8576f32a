#include "driver/state.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

const Status every_status[]{RunningReason::booted,      PausedReason::user,
                            ShutdownReason::unknown,    ShutoffReason::shutdown,
                            CrashedReason::panicked,    Status{State::pm_suspended, 0},
                            Status{State::no_state, 0}, Status{State::blocked, 0}};

TEST(State, EveryStateHasAnAnswerToEverythingThatCanHappen) {
    for (const auto& status : every_status)
        for (int i = 0; i < happened_count; ++i) {
            const auto next = step({.status = status}, static_cast<Happened>(i));
            if (status.state == State::shutoff) {
                EXPECT_EQ(next, (Step{.status = status})) << i;
            }
        }
}

TEST(State, NothingButItsEndReachesAGuestThatIsStarting) {
    const Situation starting{.status = PausedReason::starting_up, .starting = true};
    for (const auto what : {Happened::qmp_stop, Happened::qmp_resume, Happened::qmp_reset,
                            Happened::watchdog_paused, Happened::io_error_paused, Happened::qmp_suspend})
        EXPECT_EQ(step(starting, what), (Step{.status = starting.status})) << static_cast<int>(what);
    EXPECT_TRUE(step(starting, Happened::process_gone).release);
}

TEST(State, AStopPausesForTheReasonThatWasPrepared) {
    const Situation now{.status = RunningReason::booted, .paused_because = PausedReason::user};
    EXPECT_EQ(step(now, Happened::qmp_stop), (Step{.status = PausedReason::user,
                                                   .notes = {{Life::suspended, Suspended::paused}},
                                                   .save_status = true}));
}

TEST(State, ADiskErrorPausesOnceAndTheStopThatFollowsChangesNothing) {
    const auto first = step({.status = RunningReason::booted}, Happened::io_error_paused);
    EXPECT_EQ(first, (Step{.status = PausedReason::io_error,
                           .notes = {{Life::suspended, Suspended::io_error}},
                           .save_status = true}));
    EXPECT_EQ(step({.status = first.status}, Happened::qmp_stop), (Step{.status = PausedReason::io_error}));
}

TEST(State, BootIsAResume) {
    EXPECT_EQ(step({.status = PausedReason::starting_up, .running_because = RunningReason::booted},
                   Happened::qmp_resume),
              (Step{.status = RunningReason::booted,
                    .notes = {{Life::resumed, Resumed::unpaused}},
                    .save_status = true}));
}

TEST(State, APowerOffEndsQemu) {
    EXPECT_EQ(step({.status = RunningReason::booted}, Happened::qmp_shutdown_by_guest),
              (Step{.status = ShutdownReason::unknown,
                    .notes = {{Life::shutdown, ShutDown::guest}},
                    .save_status = true,
                    .kill = true}));
}

TEST(State, APowerOffAfterARebootCallRestartsTheGuestInstead) {
    EXPECT_EQ(step({.status = RunningReason::booted, .fake_reboot = true}, Happened::qmp_shutdown_by_guest),
              (Step{.status = RunningReason::booted, .save_status = true, .reset_and_continue = true}));
    EXPECT_EQ(step({.status = RunningReason::booted, .on_poweroff = Want::restart},
                   Happened::qmp_shutdown_by_guest),
              (Step{.status = RunningReason::booted, .save_status = true, .reset_and_continue = true}));
}

TEST(State, ASignalFromTheHostIsNeverARestart) {
    const auto next =
        step({.status = RunningReason::booted, .fake_reboot = true}, Happened::qmp_shutdown_by_host);
    EXPECT_EQ(next.status, Status{ShutdownReason::unknown});
    EXPECT_FALSE(next.reset_and_continue);
}

TEST(State, HowAGuestEndedDecidesWhatItIsThen) {
    struct Case {
        Situation now;
        Status status;
        Stopped detail;
    };
    const Case cases[]{
        {{.status = RunningReason::booted, .destroying = true}, ShutoffReason::destroyed, Stopped::destroyed},
        {{.status = ShutdownReason::unknown, .destroying = true, .shutdown_seen = true},
         ShutoffReason::destroyed,
         Stopped::destroyed},
        {{.status = ShutdownReason::unknown, .shutdown_seen = true},
         ShutoffReason::shutdown,
         Stopped::shutdown},
        {{.status = CrashedReason::panicked}, ShutoffReason::crashed, Stopped::crashed},
        {{.status = RunningReason::booted}, ShutoffReason::crashed, Stopped::failed},
    };
    for (const auto& c : cases)
        EXPECT_EQ(step(c.now, Happened::process_gone),
                  (Step{.status = c.status, .notes = {{Life::stopped, c.detail}}, .release = true}));
}

TEST(State, APanicDoesWhatOnCrashSays) {
    const auto after = [](Want want) {
        return step({.status = RunningReason::booted, .on_crash = want}, Happened::guest_panicked);
    };
    EXPECT_TRUE(after(Want::destroy).kill);
    EXPECT_TRUE(after(Want::restart).reset_and_continue);
    EXPECT_EQ(after(Want::preserve),
              (Step{.status = CrashedReason::panicked,
                    .notes = {LifeNote{Life::suspended, Suspended::paused}, LifeNote{Life::crashed, 0}},
                    .save_status = true}));
}

TEST(State, ACrashedGuestEndsAsCrashedWhateverQemuSaysOfTheSignal) {
    const Situation crashed{.status = CrashedReason::panicked, .shutdown_seen = true};
    EXPECT_EQ(step(crashed, Happened::qmp_shutdown_by_host), (Step{.status = CrashedReason::panicked}));
    EXPECT_EQ(step(crashed, Happened::process_gone),
              (Step{.status = ShutoffReason::crashed,
                    .notes = {LifeNote{Life::stopped, Stopped::crashed}},
                    .release = true}));
}

TEST(State, ACrashedGuestMayGoOn) {
    EXPECT_EQ(step({.status = CrashedReason::panicked}, Happened::qmp_resume),
              (Step{.status = RunningReason::unpaused,
                    .notes = {LifeNote{Life::resumed, Resumed::unpaused}},
                    .save_status = true}));
}

TEST(State, TextsReadBack) {
    for (const auto& status : {Status{PausedReason::starting_up}, Status{RunningReason::from_snapshot},
                               Status{ShutoffReason::destroyed}, Status{CrashedReason::panicked}})
        EXPECT_EQ(status_of(state_text(status.state), reason_text(status)), status);
}

} // namespace
