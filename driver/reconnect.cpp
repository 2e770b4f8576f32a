#include "driver/reconnect.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/about.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/guest.hpp"
#include "driver/guest_logs.hpp"
#include "driver/launched.hpp"
#include "driver/log.hpp"
#include "driver/monitor_events.hpp"
#include "driver/offload.hpp"
#include "driver/parts.hpp"
#include "driver/plan/live.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "driver/plan/planner.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/qmp/client.hpp"
#include "driver/reserve.hpp"
#include "driver/stop.hpp"
#include "driver/store/files.hpp"
#include "driver/store/journal.hpp"
#include "driver/store/status.hpp"
#include "security/kernel/autopsy.hpp"

#include <boost/json/value.hpp>
#include <csignal>
#include <fmt/core.h>

namespace cloister {

using namespace std::chrono_literals;

namespace {

/// What is on disk about one guest of an earlier daemon.
struct Found {
    store::JournalFile journal{};
    std::optional<store::StatusFile> status{};
    bool status_unreadable = false;
    Fd pidfd{}; ///< empty: the process is gone
};

void complain(const std::string& whom, const Error& error) {
    log(LogLevel::error, fmt::format("{}: {}", whom, full_text(error)));
}

/// On a worker. Journals that cannot be read are left where they are, for a person.
std::vector<std::shared_ptr<Found>> found_on_disk(const Folders& folders) {
    std::vector<std::shared_ptr<Found>> out;
    store::sweep_unfinished(folders.undo);
    store::sweep_unfinished(folders.runtime);
    for (const auto& name : store::names_in(folders.undo)) {
        if (!name.ends_with(".json")) continue;
        const auto path = folders.undo + "/" + name;
        auto journal = store::load_journal(path);
        if (!journal) {
            complain("undo journal '" + path + "'", journal.error());
            continue;
        }
        auto found = std::make_shared<Found>();
        found->journal = std::move(*journal);
        if (found->journal.process.pid > 0) found->pidfd = open_process(found->journal.process);
        const auto status = store::status_path(folders.runtime, found->journal.name);
        if (store::exists(status)) {
            auto text = store::read_file(status);
            auto parsed =
                text ? store::parsed_status(*text) : Result<store::StatusFile>(std::unexpected(text.error()));
            if (parsed && parsed->process == found->journal.process)
                found->status = std::move(*parsed);
            else if (!parsed) {
                complain("status file '" + status + "'", parsed.error());
                found->status_unreadable = true;
            }
        }
        out.push_back(std::move(found));
    }
    return out;
}

/// On a worker: what is left of a guest that does not run any more, or never got to run. True when all was
/// taken back.
bool clean_up(const Folders& folders, const Found& found, const std::string& boot, OwnerBook& owners,
              const std::shared_ptr<GuestLogs>& logs) {
    if (found.pidfd) { // a start that the old daemon did not finish: QEMU never ran an instruction
        (void)send_signal(found.pidfd, SIGKILL); // it may be gone
        (void)wait_exit(found.pidfd, 10s);       // then what it holds cannot be removed, and says so
    }
    const auto& name = found.journal.name;
    if (logs) logs->finish(name, folders.log + "/" + name + ".log");
    const auto released = release(store::still_to_undo(found.journal, boot), owners);
    const auto must = [&](const Result<>& done) {
        if (!done) complain("undoing '" + name + "'", done.error());
    };
    must(store::remove_file(store::status_path(folders.runtime, name)));
    must(store::remove_file(folders.runtime + "/" + name + ".pid"));
    must(released); // when it failed, the journal stays: the next start tries again
    if (released)
        must(store::remove_journal(folders.undo, name)); // the last of all; replaying it does no harm
    return released.has_value();
}

/// How a guest went that nobody watched: QEMU itself stays when a guest powers off, until it is told to go.
Status off_status(const Found& found, const std::string& boot) {
    if (found.journal.boot_id != boot) return ShutoffReason::unknown;
    if (!found.status || found.status->starting) return ShutoffReason::failed;
    return found.status->status.state == State::shutdown ? ShutoffReason::shutdown : ShutoffReason::crashed;
}

Task<void> cleaned_up(Driver* driver, std::shared_ptr<Found> found, [[maybe_unused]] Gate::Pass until_done) {
    const auto boot = driver->parts().boot;
    const auto& name = found->journal.name;
    const auto off = off_status(*found, boot);
    const auto how = off == Status{ShutoffReason::failed} ? "its start was cut off"
                     : found->journal.boot_id != boot     ? "the host was booted anew"
                                                          : "it ended while no daemon watched";
    log(LogLevel::warning, fmt::format("cleaning up after '{}': {}", name, how));
    auto clean = [folders = driver->folders(), found, owners = driver->parts().launch.owners, boot,
                  logs = driver->parts().guest_logs] {
        return clean_up(folders, *found, boot, *owners, logs);
    };
    (void)co_await offload(driver->workers(), std::move(clean)); // it has complained
    if (const auto guest = driver->registry().by_uuid(found->journal.uuid); guest && !guest->active())
        guest->become(off);
}

std::shared_ptr<Guest> guest_of(Driver& driver, const Found& found, std::shared_ptr<const Domain> live) {
    if (auto known = driver.registry().by_uuid(found.journal.uuid)) return known;
    auto guest = std::make_shared<Guest>(driver.executor(), std::move(live));
    driver.registry().add(guest);
    return guest;
}

/// The plan of its launch again: the same function of the same values, of the settings of then too. Only
/// verification and hot-plug need it, so a failure is not the guest's end.
Task<Result<>> plan_again(Driver* driver, std::shared_ptr<Guest> guest) {
    auto& running = *guest->running;
    const auto live = guest->live;
    CO_TRY(caps, co_await driver->caps(live->devices.emulator.value_or("")));
    auto conf = driver->conf();
    if (!running.settings.file.empty()) {
        CO_TRY(then, restored(running.settings));
        conf = std::move(then);
    }
    HostQuestions questions{.owners = identities_of_interest(*live, conf),
                            .devices = wants_host_devices(*live)};
    for (auto& path : paths_of_interest(*live, conf)) questions.paths.push_back({std::move(path), {}});
    auto ask = [conf, reader = driver->image_reader(), questions = std::move(questions)] {
        return host_facts(conf, questions, reader);
    };
    CO_TRY(facts, co_await offload(driver->workers(), std::move(ask)));
    if (!guest->running) co_return Result<>{};
    CO_TRY(plan, plan_launch(*live, *caps, conf, facts, running.reserved, running.plan.paths));
    auto lower_again = [plan, cgroups = driver->parts().launch.cgroups,
                        owners = driver->parts().launch.owners]() -> Result<Lowered> {
        const auto seen = TRY(look(plan, cgroups, owners.get()));
        return lower(plan, seen);
    };
    CO_TRY(lowered, co_await offload(driver->workers(), std::move(lower_again)));
    if (!guest->running) co_return Result<>{};
    running.plan = std::move(plan);
    running.caps = caps;
    running.process->lowered = std::move(lowered);
    running.process->mount_namespace = mount_namespace_of(running.plan, running.process->process);
    co_return Result<>{};
}

std::optional<Status> status_in(const boost::json::value& answer, const Status& known, bool was_starting) {
    const auto* members = answer.if_object();
    const auto* text = members ? members->if_contains("status") : nullptr;
    if (!text || !text->is_string()) return std::nullopt;
    const std::string_view is = text->get_string();
    if (is == "running") { // of a guest that was being started only the start itself can be the reason
        if (was_starting) return Status{RunningReason::booted};
        return known.state == State::running ? known : Status{RunningReason::unknown};
    }
    if (is == "suspended") return Status{State::pm_suspended, 0};
    if (is == "guest-panicked") return Status{CrashedReason::panicked};
    if (is == "shutdown") return Status{ShutdownReason::unknown};
    if (is == "io-error") return Status{PausedReason::io_error};
    if (is == "watchdog") return Status{PausedReason::watchdog};
    return known.state == State::paused ? known : Status{PausedReason::unknown};
}

bool is_prelaunch(const boost::json::value& answer) {
    const auto* members = answer.if_object();
    const auto* text = members ? members->if_contains("status") : nullptr;
    return text && text->is_string() && text->get_string() == "prelaunch";
}

/// The old daemon died before it told this QEMU to run, and no client was promised this guest; or somebody
/// else let it run before it was verified.
void end_unpromised(const std::shared_ptr<Guest>& guest, bool ran) {
    log(LogLevel::warning, about(*guest),
        fmt::format("'{}' is ended: {}", guest->name,
                    ran ? "it ran before its confinement was verified"
                        : "the daemon that started it died before it was told to run"));
    guest->running->process->until_it_runs = guest->running->process->made_anew;
    guest->running->off_because = ShutoffReason::failed;
    (void)send_signal(guest->running->process->pidfd, SIGKILL); // it may be gone; watch() does the rest
}

/// A guest that is being taken over, and how far that is.
struct Taking {
    std::shared_ptr<Guest> guest{};
    bool was_starting = false, was_verified = false;
    bool done = false;
    std::uint64_t run = guest->run;
    bool over() const { return guest->run != run || !guest->running || guest->running->exited; }
};

/// What QEMU says about itself now.
Task<void> ask_how_it_is(Driver* driver, std::shared_ptr<Taking> taking) {
    const auto guest = taking->guest;
    const auto monitor = guest->running->monitor;
    auto answer = co_await monitor->execute("query-status");
    if (taking->over() || !answer) co_return;
    if (taking->was_starting && (is_prelaunch(*answer) || !taking->was_verified)) {
        end_unpromised(guest, !is_prelaunch(*answer));
        auto gone = [guest, run = taking->run] { return guest->finished >= run; };
        (void)co_await guest->wait_until(std::move(gone), 15s); // watch() says what does not go
        co_return;
    }
    if (const auto now = status_in(*answer, guest->status, taking->was_starting)) guest->become(*now);
    // The guest powered off while nobody listened: what should have followed then, follows now.
    if (guest->status.state == State::shutdown) {
        guest->become(RunningReason::unknown);
        happened(*driver, guest, Happened::qmp_shutdown);
    }
    save_status(*driver, guest);
}

/// Speaks to QEMU again. Whatever fails: the guest runs on, and can be destroyed.
Task<bool> find_monitor(Driver* driver, std::shared_ptr<Taking> taking, std::chrono::milliseconds patience) {
    const auto guest = taking->guest;
    auto monitor = co_await Monitor::connect(guest->running->plan.paths.monitor,
                                             monitor_hooks(*driver, guest), patience);
    if (taking->over()) co_return true;
    if (!monitor) {
        complain("the monitor of '" + guest->name + "' cannot be reached", monitor.error());
        co_return false;
    }
    guest->running->monitor = *monitor;
    co_await ask_how_it_is(driver, taking);
    co_return true;
}

/// Holds the guest's turn meanwhile: who wants to change it waits, everybody else does not. A QEMU that is
/// stuck gets its monitor back whenever it goes on.
Task<void> take_over(Driver* driver, std::shared_ptr<Taking> taking, Jobs::Turn turn) {
    const auto guest = taking->guest;
    auto planned = co_await plan_again(driver, guest);
    if (!planned)
        complain("planning '" + guest->name + "' again: its confinement cannot be shown", planned.error());
    {
        const auto held = std::move(turn);
        bool found = taking->over();
        if (!found) found = co_await find_monitor(driver, taking, 10s);
        taking->done = true;
        guest->changed();
        if (found) co_return;
    }
    while (!taking->over()) {
        if (co_await guest->wait_until([&] { return taking->over(); }, 5s)) co_return;
        if (co_await find_monitor(driver, taking, 60s)) co_return;
    }
}

/// What is known without asking anybody: enough to list, show and destroy the guest.
Result<std::shared_ptr<Guest>> adopted(Driver& driver, Found& found) {
    const auto& status = *found.status;
    auto live = TRY(read_domain(status.domain_xml, xml::Flavour::status));
    const auto paths = launch_paths(driver.folders(), live, status.reserved.id);
    const auto domain = std::make_shared<const Domain>(std::move(live));
    const auto guest = guest_of(driver, found, domain);
    if (guest->active()) return fail(Code::internal, tr("two status files claim domain '{0}'", guest->name));
    ++guest->run;
    guest->live = domain;
    guest->running = std::make_unique<Running>();
    auto& running = *guest->running;
    running.id = status.reserved.id;
    running.reserved = status.reserved;
    running.settings = status.settings;
    running.plan.name = guest->name;
    running.plan.id = running.id;
    running.plan.paths = paths;
    if (!status.monitor.empty()) running.plan.paths.monitor = status.monitor;
    running.plan.confinement.mount_namespace = status.mount_namespace;
    running.ptys = status.ptys;
    running.fake_reboot = status.fake_reboot;
    running.start_paused = status.start_paused;
    running.starting = false; // watch() is to clean up, whatever happens
    for (const auto& [index, thread] : status.vcpus) running.vcpus.push_back({.index = index, .tid = thread});
    running.process = std::make_shared<Launched>();
    running.process->process = found.journal.process;
    running.process->pidfd = std::move(found.pidfd);
    running.process->undo = found.journal.undo;
    running.process->made_anew = found.journal.until_it_runs;
    running.verified = status.verified;
    running.pid = found.journal.process.pid;
    guest->taints = status.taints;
    guest->deprecations = status.deprecations;
    guest->status = status.status;
    take(driver, running.reserved);
    return guest;
}

} // namespace

Task<void> reconnect_all(Driver& driver) {
    auto read_all = [folders = driver.folders()] { return found_on_disk(folders); };
    const auto all = co_await offload(driver.workers(), std::move(read_all));
    // Before anything is undone: a file that a guest which still runs holds must stay its.
    for (const auto& found : all)
        if (found->journal.boot_id == driver.parts().boot)
            driver.parts().launch.owners->know(found->journal.undo);
    std::vector<std::shared_ptr<Found>> gone;
    std::vector<std::shared_ptr<Taking>> taken;
    for (const auto& found : all) {
        const bool alive = found->pidfd && found->journal.boot_id == driver.parts().boot;
        if (!alive || (!found->status && !found->status_unreadable)) {
            gone.push_back(found);
            continue;
        }
        if (found->status_unreadable) continue; // it may be a guest that runs: left alone
        auto guest = adopted(driver, *found);
        if (!guest) {
            complain("taking over '" + found->journal.name + "' (its QEMU is left alone)", guest.error());
            continue;
        }
        auto turn = co_await (*guest)->jobs.turn("taking over"); // nobody has it: no client is served yet
        if (!turn) continue;
        spawn(driver.executor(), watch(driver, *guest));
        taken.push_back(std::make_shared<Taking>(Taking{.guest = *guest,
                                                        .was_starting = found->status->starting,
                                                        .was_verified = found->status->verified}));
        spawn(driver.executor(), take_over(&driver, taken.back(), *std::move(turn)));
    }
    Gate cleaning(driver.executor());
    for (const auto& found : gone)
        if (auto pass = cleaning.enter())
            spawn(driver.executor(), cleaned_up(&driver, found, *std::move(pass)));
    co_await cleaning.close();
    // A guest that answers does so in milliseconds. A stuck one must not keep clients from the others.
    const auto until = std::chrono::steady_clock::now() + 250ms;
    for (const auto& taking : taken) {
        const auto left = until - std::chrono::steady_clock::now();
        auto ready = [taking] { return taking->done || taking->over(); };
        (void)co_await taking->guest->wait_until(
            std::move(ready), std::chrono::ceil<std::chrono::milliseconds>(left)); // then without it
    }
}

} // namespace cloister
