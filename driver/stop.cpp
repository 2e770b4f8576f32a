#include "driver/stop.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/about.hpp"
#include "driver/domain_log.hpp"
#include "driver/guest.hpp"
#include "driver/guest_logs.hpp"
#include "driver/last_words.hpp"
#include "driver/launched.hpp"
#include "driver/log.hpp"
#include "driver/offload.hpp"
#include "driver/parts.hpp"
#include "driver/qmp/client.hpp"
#include "driver/reserve.hpp"
#include "driver/steps.hpp"
#include "driver/store/files.hpp"
#include "driver/store/journal.hpp"
#include "driver/store/status.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <fmt/core.h>
#include <fstream>

namespace cloister {

using namespace std::chrono_literals;

namespace {

Want wanted(std::optional<LifecycleAction> action, LifecycleAction otherwise) {
    switch (action.value_or(otherwise)) {
    case LifecycleAction::destroy: return Want::destroy;
    case LifecycleAction::restart: return Want::restart;
    case LifecycleAction::rename_restart: return Want::rename_restart;
    case LifecycleAction::preserve: return Want::preserve;
    case LifecycleAction::coredump_destroy: return Want::coredump_destroy;
    case LifecycleAction::coredump_restart: return Want::coredump_restart;
    }
    return Want::destroy;
}

Situation situation(const Guest& guest) {
    const auto& running = *guest.running;
    const auto& domain = *guest.current();
    return {.status = guest.status,
            .starting = running.starting,
            .fake_reboot = running.fake_reboot,
            .destroying = running.destroying,
            .shutdown_seen = running.shutdown_seen,
            .paused_because = running.paused_because,
            .running_because = running.running_because,
            .on_poweroff = wanted(domain.on_poweroff, LifecycleAction::destroy),
            .on_crash = wanted(domain.on_crash, LifecycleAction::destroy)};
}

/// Stopped by a signal or a tracer: it cannot act on SIGTERM. Source: proc(5).
bool cannot_listen(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    const auto at = text.rfind(") ");
    return at != std::string::npos && at + 2 < text.size() && (text[at + 2] == 'T' || text[at + 2] == 't');
}

bool over(const Guest& guest, std::uint64_t run) {
    return guest.run != run || !guest.running || guest.running->exited;
}

/// SIGTERM lets QEMU flush its disks; SIGKILL comes when that leads to nothing.
Task<void> end_process(std::shared_ptr<Guest> guest, Graceful graceful) {
    const auto run = guest->run;
    const auto process = guest->running->process;
    const auto signal = [&](int which) {
        auto sent = at_step(StopStep::terminate, send_signal(process->pidfd, which));
        if (!sent) log(LogLevel::error, "cannot end '" + guest->name + "': " + full_text(sent.error()));
        return sent.has_value();
    };
    if (graceful == Graceful::no && cannot_listen(process->process.pid)) {
        (void)signal(SIGKILL); // it may be gone
        co_return;
    }
    const bool asked = signal(SIGTERM);
    if (graceful == Graceful::yes) co_return;
    if (!asked) {
        (void)signal(SIGKILL); // likewise
        co_return;
    }
    // QEMU's main loop answers SIGTERM with SHUTDOWN at once; a hung one never does.
    const auto heard =
        co_await guest->wait_until([&] { return over(*guest, run) || guest->running->shutdown_seen; }, 3s);
    if (heard && co_await guest->wait_until([&] { return over(*guest, run); }, 10s)) co_return;
    log(LogLevel::warning, about(*guest), fmt::format("'{}' does not end on SIGTERM: SIGKILL", guest->name));
    (void)signal(SIGKILL); // likewise
}

/// What QEMU does when the guest is reset: "reset" or "shutdown".
Task<void> reset_means(std::shared_ptr<Monitor> monitor, std::string action) {
    boost::json::object arguments{{"reboot", action}};
    const auto done = co_await monitor->execute("set-action", std::move(arguments));
    if (!done) log(LogLevel::warning, "telling QEMU what a reset means: " + full_text(done.error()));
}

/// What on_reboot and a reboot call come down to: the guest starts again in the same QEMU.
Task<void> start_again(Driver* driver, std::shared_ptr<Guest> guest) {
    const auto run = guest->run;
    auto turn = co_await guest->jobs.turn("reboot");
    if (!turn || over(*guest, run) || !guest->running->monitor || guest->running->destroying) co_return;
    const auto monitor = guest->running->monitor;
    // With on_reboot destroy QEMU takes every reset for the end, also ours.
    const bool ends = guest->live && guest->live->on_reboot == LifecycleAction::destroy;
    if (ends) co_await reset_means(monitor, "reset");
    if (over(*guest, run)) co_return;
    auto reset = co_await monitor->execute("system_reset");
    if (ends && !over(*guest, run)) co_await reset_means(monitor, "shutdown");
    if (over(*guest, run)) co_return;
    guest->running->shutdown_seen = guest->running->fake_reboot = false;
    guest->running->running_because =
        guest->status.state == State::crashed ? RunningReason::crashed : RunningReason::booted;
    // Not in one expression: g++ 12 destroys what a conditional with a co_await leaves behind twice.
    if (reset) reset = co_await monitor->execute("cont");
    if (over(*guest, run)) co_return;
    if (!reset) {
        log(LogLevel::error, about(*guest),
            fmt::format("cannot restart '{}': {}", guest->name, full_text(reset.error())));
        co_await end_process(guest, Graceful::no);
        co_return;
    }
    // RESUME may still be under way: then this is what it will find.
    happened(*driver, guest, Happened::qmp_resume);
    save_status(*driver, guest);
}

Task<void> write_status(Driver* driver, std::shared_ptr<Guest> guest) {
    const auto run = guest->run;
    do {
        guest->running->save_again = false;
        auto write = [path = store::status_path(driver->folders().runtime, guest->name),
                      file = status_file(*guest)] {
            auto text = store::printed(file);
            return text ? store::write_volatile(path, *text)
                        : Result<>(std::unexpected(std::move(text).error()));
        };
        auto saved = co_await offload(driver->workers(), std::move(write));
        if (!saved)
            log(LogLevel::error,
                fmt::format("cannot save the status of '{}': {}", guest->name, full_text(saved.error())));
        if (guest->run != run || !guest->running) co_return;
        guest->running->unsaved = !saved;
    } while (guest->running->save_again && !guest->running->stopping);
    guest->running->saving = false;
    guest->changed();
}

struct Remains {
    std::vector<Op> undo{};
    std::shared_ptr<OwnerBook> owners{};
    std::string name{}, log{}, status{}, pid_file{}, undo_folder{}, reason{};
    std::shared_ptr<GuestLogs> logs{};
};

void complain(const std::string& name, std::string_view what, const Error& error) {
    std::string line = fmt::format("stopping '{}': {}: {}", name, what, full_text(error));
    for (const auto& context : error.context) line += " (" + context + ")";
    log(LogLevel::error, line);
}

/// A part of the stop that fails does not keep the parts after it. It is tried a second time: what was busy
/// may be free a moment later.
template <class Work> auto twice(const std::string& name, std::string_view what, Work work) {
    auto done = work();
    if (done) return done;
    complain(name, what, done.error());
    done = work();
    if (!done) complain(name, what, done.error());
    return done;
}

/// Runs on a worker. What cannot be taken back stays in the journal, for the domain's next start and the
/// daemon's.
Result<> give_back_host(const Remains& what) {
    if (what.logs) what.logs->finish(what.name, what.log); // QEMU's words before ours
    auto told = at_step(StopStep::log_line,
                        store::append_file(what.log, log_line(std::chrono::system_clock::now(),
                                                              "shutting down, reason=" + what.reason)));
    if (!told) complain(what.name, "writing its log", told.error()); // a full disk must not keep a guest
    return twice(what.name, "giving back what it had", [&] { return release(what.undo, *what.owners); });
}

/// Runs on a worker. The journal last: until it is gone, the next daemon finds what is left and finishes.
void forget_files(const Remains& what, bool all_given_back) {
    const auto remove = [&](StopStep step, std::string_view file, auto work) {
        (void)twice(what.name, file, [&] { return at_step(step, work()); }); // it has complained
    };
    remove(StopStep::status_file, "its status file", [&] { return store::remove_file(what.status); });
    remove(StopStep::pid_file, "its pid file", [&] { return store::remove_file(what.pid_file); });
    if (!all_given_back) return;
    remove(StopStep::journal, "its undo journal",
           [&] { return store::remove_journal(what.undo_folder, what.name); });
}

/// The same for what has no remedy, and no need of one.
void reached(const Guest& guest, StopStep step) {
    if (auto done = at_step(step); !done) complain(guest.name, text(step), done.error());
}

/// Completes when the process has ended, whatever wakes it before.
Task<void> until_ended(Driver* driver, std::shared_ptr<Guest> guest, std::shared_ptr<Launched> process) {
    while (!process->ended) {
        boost::asio::posix::stream_descriptor pidfd(driver->executor(), process->pidfd.copy().release());
        const auto [error] = co_await pidfd.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                                       boost::asio::as_tuple(boost::asio::use_awaitable));
        auto waited =
            at_step(StopStep::wait, error ? Result<>(fail(Code::internal, error.message())) : Result<>{});
        if (!waited) complain(guest->name, "waiting for its end", waited.error());
        process->ended = wait_exit(process->pidfd, 0ms); // reaps a child
        if (process->ended || waited) continue;
        auto wait = [process] { return wait_exit(process->pidfd, 1s); };
        process->ended = co_await offload(driver->workers(), std::move(wait));
    }
}

} // namespace

store::StatusFile status_file(const Guest& guest) {
    const auto& running = *guest.running;
    store::StatusFile out{.status = guest.status,
                          .process = running.process ? running.process->process : ProcessId{},
                          .monitor = running.plan.paths.monitor,
                          .mount_namespace = running.plan.confinement.mount_namespace,
                          .taints = guest.taints,
                          .deprecations = guest.deprecations,
                          .fake_reboot = running.fake_reboot,
                          .state_dir = running.plan.paths.state_dir,
                          .channel_dir = running.plan.paths.channel_dir,
                          .reserved = running.reserved,
                          .settings = running.settings,
                          .ptys = running.ptys,
                          .start_paused = running.start_paused,
                          .starting = running.starting,
                          .verified = running.verified};
    for (const auto& vcpu : running.vcpus) out.vcpus.emplace_back(vcpu.index, vcpu.tid);
    if (guest.live)
        out.domain_xml = print_domain(*guest.live, {.flavour = xml::Flavour::status, .secure = true});
    return out;
}

store::JournalFile journal_of(const Guest& guest, const std::string& boot) {
    const auto& process = *guest.running->process;
    return {.name = guest.name,
            .uuid = guest.uuid,
            .boot_id = boot,
            .process = process.process,
            .undo = process.undo,
            .until_it_runs = process.until_it_runs};
}

void emit_life(Driver& driver, const Guest& guest, LifeNote note) {
    driver.events().emit(event::Lifecycle{guest.ref(), note});
}

void save_status(Driver& driver, const std::shared_ptr<Guest>& guest) {
    if (!guest->running || guest->running->stopping || !guest->live) return;
    if (guest->running->saving) {
        guest->running->save_again = true;
        return;
    }
    guest->running->saving = true;
    spawn(driver.executor(), write_status(&driver, guest));
}

Task<void> status_saved(Driver* driver, std::shared_ptr<Guest> guest) {
    save_status(*driver, guest);
    auto written = [guest] { return !guest->running || !guest->running->saving; };
    (void)co_await guest->wait_until(std::move(written), 10s); // a slow disk: then without
}

void happened(Driver& driver, const std::shared_ptr<Guest>& guest, Happened what) {
    if (!guest->running || guest->running->exited) return;
    auto& running = *guest->running;
    const auto before = guest->status;
    const auto next = step(situation(*guest), what);
    if (what == Happened::qmp_shutdown || what == Happened::qmp_shutdown_by_guest ||
        what == Happened::qmp_shutdown_by_host)
        running.shutdown_seen = true;
    if (next.reboot_event) running.fake_reboot = false;
    guest->become(next.status);
    if (next.status != before) { // what was prepared has been used
        running.paused_because = PausedReason::unknown;
        running.running_because = RunningReason::unpaused;
    }
    for (const auto& note : next.notes) emit_life(driver, *guest, note);
    if (next.reboot_event) driver.events().emit(event::Reboot{guest->ref()});
    if (next.save_status) save_status(driver, guest);
    if (next.kill) spawn(driver.executor(), end_process(guest, Graceful::no));
    if (next.reset_and_continue) spawn(driver.executor(), start_again(&driver, guest));
    guest->changed();
}

Task<Result<>> destroy(Driver& driver, std::shared_ptr<Guest> guest, Graceful graceful) {
    const auto not_running = [] {
        auto refusal = fail(Code::operation_invalid, tr("domain is not running"));
        refusal.error().domain = ErrorDomain::domain;
        return refusal;
    };
    if (!guest->active()) co_return not_running();
    const auto run = guest->run;
    const bool first = !guest->running->destroying;
    guest->running->destroying = true;
    guest->jobs.interrupt(not_running().error());
    const auto pid = guest->running->pid;
    if (first && guest->running->process && !guest->running->exited)
        spawn(driver.executor(), end_process(guest, graceful));
    const auto patience = graceful == Graceful::yes ? 15s : 60s;
    if (co_await guest->wait_until([&] { return guest->finished >= run; }, patience)) co_return Result<>{};
    if (guest->running) guest->running->destroying = false;
    co_return std::unexpected(system_error(
        EBUSY, graceful == Graceful::yes ? tr("Failed to terminate process {0} with SIGTERM", pid)
                                         : tr("Failed to terminate process {0} with SIGKILL", pid)));
}

Task<void> release_guest(Driver& driver, std::shared_ptr<Guest> guest, Status off) {
    auto& running = *guest->running;
    running.stopping = true;
    if (running.monitor)
        running.monitor->close(
            Error{.code = Code::operation_failed, .message = tr("guest unexpectedly quit")});
    for (auto& [alias, pipe] : running.consoles) pipe->finish({});
    reached(*guest, StopStep::monitor);
    co_await guest->wait_until([&] { return !running.saving; },
                               10s); // or it would come back after its removal
    Remains remains{.owners = driver.parts().launch.owners,
                    .name = guest->name,
                    .log = running.plan.paths.log,
                    .status = store::status_path(driver.folders().runtime, guest->name),
                    .pid_file = driver.folders().runtime + "/" + guest->name + ".pid",
                    .undo_folder = driver.folders().undo,
                    .reason = std::string(reason_text(off)),
                    .logs = driver.parts().guest_logs};
    if (running.process) {
        remains.undo = running.process->undo;
        remains.undo.insert(remains.undo.end(), running.process->until_it_runs.begin(),
                            running.process->until_it_runs.end());
    } // or else a start that came to nothing has taken it back
    auto take_back = [remains] { return give_back_host(remains); };
    const auto released = co_await offload(driver.workers(), std::move(take_back));
    if (running.process) {
        auto forget = [remains, all = released.has_value()] {
            forget_files(remains, all);
            return true;
        };
        (void)co_await offload(driver.workers(), std::move(forget)); // it has complained
    }
    give_back(driver, running.reserved);
    reached(*guest, StopStep::reserved);
    guest->running.reset();
    guest->live.reset();
    guest->taints.clear();
    guest->deprecations.clear();
    guest->updated = false;
    guest->become(off);
}

Task<void> watch(Driver& driver, std::shared_ptr<Guest> guest) {
    const auto run = guest->run;
    const auto process = guest->running->process;
    co_await until_ended(&driver, guest, process);
    if (guest->run != run || !guest->running) co_return;
    // QEMU's last words may still be under way.
    if (const auto monitor = guest->running->monitor)
        (void)co_await guest->wait_until([&] { return monitor->closed(); }, 1s); // then without them
    if (guest->run != run || !guest->running) co_return;
    guest->running->exited = true;
    guest->changed();
    if (guest->running->starting) co_return; // launch() takes back what it did
    co_await note_death(&driver, guest);     // while its groups and its /dev are still there
    if (guest->run != run || !guest->running) co_return;
    auto next = step(situation(*guest), Happened::process_gone);
    if (guest->running->off_because) next.status = *guest->running->off_because;
    co_await release_guest(driver, guest, next.status);
    reached(*guest, StopStep::event);
    for (const auto& note : next.notes) emit_life(driver, *guest, note);
    if (!guest->persistent && !guest->removed) {
        guest->removed = true;
        driver.registry().remove(*guest);
    }
    guest->finished = run;
    guest->changed();
}

} // namespace cloister
