#include "driver/launch.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/about.hpp"
#include "driver/agent.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/domain_log.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/guest.hpp"
#include "driver/guest_logs.hpp"
#include "driver/last_words.hpp"
#include "driver/launched.hpp"
#include "driver/log.hpp"
#include "driver/machines.hpp"
#include "driver/monitor_answers.hpp"
#include "driver/monitor_events.hpp"
#include "driver/naming.hpp"
#include "driver/neighbours.hpp"
#include "driver/offload.hpp"
#include "driver/parts.hpp"
#include "driver/pins.hpp"
#include "driver/plan/live.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "driver/plan/planner.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/qmp/client.hpp"
#include "driver/reserve.hpp"
#include "driver/steps.hpp"
#include "driver/stop.hpp"
#include "driver/store/files.hpp"
#include "driver/store/journal.hpp"
#include "driver/store/status.hpp"
#include "security/kernel/autopsy.hpp"
#include "security/kernel/facts.hpp"
#include "security/report.hpp"

#include <boost/json/value.hpp>
#include <csignal>
#include <fmt/core.h>
#include <sys/utsname.h>

namespace cloister {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

using DomainPointer = std::shared_ptr<const Domain>;
using CapsPointer = std::shared_ptr<const QemuCaps>;

/// Everything that a launch knows before it changes the host.
struct Prepared {
    CapsPointer caps{};
    Reserved reserved{};
    DomainPointer live{};
    LaunchPlan plan{};
};

/// `known`: where the volumes are that the domain's disks name.
HostQuestions questions_about(const Domain& domain, const Driver& driver, const HostFacts& known,
                              bool bounded) {
    const auto& conf = driver.conf();
    HostQuestions out{.owners = identities_of_interest(domain, conf), .devices = wants_host_devices(domain)};
    if (bounded) out.within = driver.daemon().allowed_paths;
    for (auto& path : paths_of_interest(domain, conf)) out.paths.push_back({std::move(path), {}});
    // After the paths: of two questions about one file the last is answered, and this one asks for its chain.
    for (auto& image : images_of_interest(domain))
        out.paths.push_back({image.path, image.format, image.alone});
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (!disk->source || !disk->source->pool || !disk->source->volume) continue;
        const auto volume = known.volumes.find(*disk->source->pool + "/" + *disk->source->volume);
        if (volume == known.volumes.end() || volume->second.kind == PathKind::directory) continue;
        const auto format = disk->driver ? disk->driver->type.value_or("raw") : std::string("raw");
        out.paths.push_back({volume->second.path, format, false});
    }
    return out;
}

Task<Result<Prepared>> prepared(Driver* driver, DomainPointer definition, Reserved reserved, bool bounded) {
    Prepared out{.reserved = std::move(reserved)};
    if (bounded) { // before anything is found out of what is elsewhere; the launch itself looks once more
        const auto outside = co_await outside_now(driver, definition);
        if (outside)
            co_return fail(
                Code::access_denied,
                tr("'{0}' is not within what clients other than root may name (allowed_paths)", *outside));
    }
    const auto emulator = definition->devices.emulator.value_or(std::string{});
    CO_TRY(caps, at_step(StartStep::probe, co_await driver->caps(emulator)));
    CO_TRY(known, at_step(StartStep::facts, co_await known_to_neighbours(*driver, definition)));
    auto questions = questions_about(*definition, *driver, known, bounded);
    CO_TRY(facts, at_step(StartStep::facts, co_await driver->facts(std::move(questions))));
    facts.networks = std::move(known.networks);
    facts.volumes = std::move(known.volumes);
    const auto paths = launch_paths(driver->folders(), *definition, out.reserved.id);
    CO_TRY(live, at_step(StartStep::live, live_copy(*definition, *caps, driver->conf(), facts, out.reserved,
                                                    paths, driver->folders())));
    CO_TRY(plan,
           at_step(StartStep::plan, plan_launch(live, *caps, driver->conf(), facts, out.reserved, paths)));
    if (bounded) plan.bounds = bounds_of(*definition, facts, *driver);
    out.caps = caps;
    out.live = std::make_shared<const Domain>(std::move(live));
    out.plan = std::move(plan);
    co_return out;
}

/// Whether this guest's groups are to be in a scope. Only where there is one hierarchy, of v2: elsewhere
/// systemd keeps its own one, and would move the guest in that alone.
Task<bool> wants_scope(Driver* driver) {
    const auto& hierarchies = driver->parts().launch.cgroups.hierarchies;
    if (!driver->machines() || hierarchies.size() != 1 || !hierarchies.front().v2) co_return false;
    co_return co_await driver->machines()->here();
}

// ---- on a worker
// --------------------------------------------------------------------------------------------------

struct KernelWork {
    LaunchPlan plan{};
    LaunchEnvironment environment{};
    LogHeader header{};
    std::shared_ptr<GuestLogs> logs{}; ///< null: QEMU gets the log itself
    store::JournalFile journal{};
    std::string undo_folder{};
    std::vector<std::string> folders{}; ///< that have to be there: log, undo, runtime
    std::vector<std::string> forget{};  ///< files to be made anew (reset NVRAM)
    std::string pid_file{};
};

LogHeader with_host(LogHeader header) {
    utsname host{};
    if (::uname(&host) == 0) {
        header.kernel = host.release;
        header.hostname = host.nodename;
    }
    return header;
}

Result<> run_steps(Launch& launch, const KernelWork& work, store::JournalWriter& journal, Launched& out) {
    TRY(at_step(StartStep::log_header,
                store::append_file(work.plan.paths.log,
                                   log_header(std::chrono::system_clock::now(), with_host(work.header),
                                              work.plan, launch.argv()))));
    out.log_start = store::size_of(work.plan.paths.log);
    TRY(launch.spawn());
    // Before the go byte: what exists can be found again.
    TRY(at_step(StartStep::process_record, journal.add(launch.process())));
    TRY(at_step(StartStep::pid_file,
                store::write_volatile(work.pid_file, fmt::format("{}\n", launch.process().pid), 0644)));
    TRY(launch.confine());
    out.mount_namespace = mount_namespace_of(work.plan, launch.process());
    return launch.exec();
}

/// What an earlier run of this domain could not take back: tried again, and what still stays is returned, for
/// the new run's journal. Errors: operation_invalid when that run's QEMU is there still.
Result<std::vector<Op>> left_over(const KernelWork& work) {
    const auto path = store::journal_path(work.undo_folder, work.journal.name);
    if (!store::exists(path)) return std::vector<Op>{};
    auto old = TRY(store::load_journal(path));
    if (open_process(old.process))
        return fail(
            Code::operation_invalid,
            tr("process {0} of this domain still runs, and could not be taken over", old.process.pid));
    auto undo = store::still_to_undo(old, work.journal.boot_id);
    if (release(undo, *work.environment.owners)) return std::vector<Op>{};
    return undo;
}

/// The journal of a start that failed and was taken back: gone, but for what was there before it.
void forget_start(const KernelWork& work, const store::JournalFile& before) {
    auto done = before.undo.empty() ? store::remove_journal(work.undo_folder, before.name)
                                    : store::save_journal(work.undo_folder, before);
    if (!done) log(LogLevel::warning, full_text(done.error())); // replaying it does no harm
}

/// From the plan to a QEMU that waits at -S, or nothing at all.
Result<std::shared_ptr<Launched>> launched(const KernelWork& work) {
    for (const auto& folder : work.folders) TRY(store::make_folder(folder));
    for (const auto& file : work.forget) TRY(store::remove_file(file));
    TRY(at_step(StartStep::folders, Result<>{}));
    auto out = std::make_shared<Launched>();
    auto environment = work.environment;
    Fd output;
    if (work.logs) {
        output = TRY(work.logs->open(work.journal.name, work.plan.paths.log));
        environment.log_fd = output.n();
    }
    auto start = work.journal;
    start.undo = TRY(left_over(work));
    auto journal = TRY(store::JournalWriter::create(work.undo_folder, start));
    if (auto made = at_step(StartStep::journal, Result<>{}); !made) {
        forget_start(work, start);
        return std::unexpected(std::move(made).error());
    }
    std::vector<Op> told;
    auto launch = Launch::prepare(
        work.plan, environment,
        [&](const std::vector<Op>& ops) {
            told.insert(told.begin(), ops.begin(), ops.end());
            return journal.add(ops);
        },
        [&](const std::vector<Op>& ops) {
            told.insert(told.end(), ops.begin(), ops.end());
            return journal.add_until_it_runs(ops);
        });
    if (!launch) {
        if (release(told, *work.environment.owners))
            forget_start(work, start); // it was taken back already: this only looks
        return std::unexpected(std::move(launch).error().during("preparing the host"));
    }
    if (auto done = run_steps(*launch, work, journal, *out); !done) {
        auto error = std::move(done).error();
        auto back = launch->abandon();
        if (!back) error.context.push_back("taking back: " + back.error().message);
        if (auto removed = store::remove_file(work.pid_file); !removed)
            error.context.push_back("taking back: " + removed.error().message);
        if (back) forget_start(work, start);
        return std::unexpected(std::move(error));
    }
    out->process = launch->process();
    out->pidfd = launch->take_pidfd();
    out->undo = launch->undo();
    out->undo.insert(out->undo.end(), start.undo.begin(), start.undo.end());
    out->until_it_runs = launch->until_it_runs();
    out->lowered = launch->lowered();
    for (const auto& [symbol, cid] : launch->vsock_cids()) out->vsock_cids.push_back(cid);
    return out;
}

// ---- on the reactor
// -----------------------------------------------------------------------------------------------

KernelWork kernel_work(Driver& driver, const Guest& guest, const LaunchOptions& options,
                       const QemuCaps& caps) {
    const auto& plan = guest.running->plan;
    const auto& folders = driver.folders();
    KernelWork out{.plan = plan,
                   .environment = driver.parts().launch,
                   .header = {.qemu_version = fmt::format("{}.{}.{}", caps.version / 1000000,
                                                          caps.version / 1000 % 1000, caps.version % 1000)},
                   .logs = driver.parts().guest_logs,
                   .journal = {.name = guest.name, .uuid = guest.uuid, .boot_id = driver.parts().boot},
                   .undo_folder = folders.undo,
                   .folders = {folders.log, folders.undo, folders.runtime},
                   .pid_file = folders.runtime + "/" + guest.name + ".pid"};
    if (options.reset_nvram)
        for (const auto& file : plan.files)
            if (file.keep && file.copy_of) out.forget.push_back(file.path);
    return out;
}

Result<> still_wanted(const Guest& guest) {
    if (guest.running->destroying)
        return fail(Code::operation_aborted,
                    tr("domain '{0}' was destroyed while it was being started", guest.name));
    return {};
}

Result<> check_prelaunch(const json::value& status, const Guest& guest) {
    const auto* members = status.if_object();
    const auto* text = members ? members->if_contains("status") : nullptr;
    const bool waits = text && text->is_string() && text->get_string() == "prelaunch";
    // One that ran and was stopped and reset says prelaunch again: but it cannot take back its RESUME.
    if (waits && guest.running && !guest.running->ran_early) return {};
    return fail(
        Code::operation_failed,
        tr("QEMU is not waiting to be told to run: something on its command line started the guest early"));
}

/// The gate: what the kernel says has to be what was planned.
Result<> check_confined(const Result<Report>& report) {
    if (!report) return std::unexpected(report.error());
    if (report->ok()) return {};
    auto refusal =
        fail(Code::operation_failed,
             tr("QEMU is not confined as planned, so it was not started: {0}", differences(*report)));
    for (const auto& item : report->items)
        if (!item.ok) refusal.error().layer = item.layer;
    return refusal;
}

Task<Result<>> connect_monitor(Driver* driver, std::shared_ptr<Guest> guest) {
    const auto gib = guest->running->plan.memory_bytes >> 30;
    auto monitor = co_await Monitor::connect(guest->running->plan.paths.monitor,
                                             monitor_hooks(*driver, guest), 30s + std::chrono::seconds(gib));
    if (!monitor) {
        auto error = co_await died_early(driver, guest, std::move(monitor).error());
        co_return std::unexpected(std::move(error));
    }
    guest->running->monitor = *monitor;
    co_return Result<>{};
}

/// A guest whose status is not on disk would be ended by the next daemon as one that never ran.
Result<> check_saved(const Guest& guest) {
    if (!guest.running) return fail(Code::operation_failed, tr("guest unexpectedly quit"));
    if (guest.running->saving || guest.running->unsaved)
        return fail(Code::operation_failed, tr("the status of the guest cannot be saved: the log says why"));
    return {};
}

/// Everything between the greeting and `cont`: QEMU answers while a worker reads the kernel's facts.
Task<Result<>> ask_and_verify(Driver* driver, std::shared_ptr<Guest> guest) {
    const auto monitor = guest->running->monitor;
    const auto process = guest->running->process;
    auto status = monitor->send("query-status");
    auto chardevs = monitor->send("query-chardev");
    auto cpus = monitor->send("query-cpus-fast");
    std::vector<Monitor::Sent> commands;
    for (const auto& [name, arguments] : guest->running->plan.monitor_commands)
        commands.push_back(monitor->send(name, arguments));

    std::optional<Monitor::Sent> balloon;
    if (const auto target = balloon_target(*guest->live)) {
        commands.push_back(monitor->send("balloon", {{"value", *target}}));
        balloon = monitor->send("query-balloon");
    }
    save_status(*driver, guest); // from here on a restarted daemon can take the guest over
    auto check = [plan = guest->running->plan, process] {
        return verify(plan, process->lowered, process->process);
    };
    const auto report = co_await offload(driver->workers(), std::move(check));
    CO_TRY(is, at_step(StartStep::query_status, co_await status.answer()));
    CO_CHECK(check_prelaunch(is, *guest));
    CO_TRY(backends, at_step(StartStep::query_chardev, co_await chardevs.answer()));
    guest->running->ptys = ptys_in(backends);
    CO_TRY(threads, at_step(StartStep::query_cpus, co_await cpus.answer()));
    guest->running->vcpus = vcpus_in(threads);
    CO_CHECK(at_step(StartStep::pins, co_await pin_threads(driver, guest)));
    for (auto& command : commands) {
        CO_TRY(done, co_await command.answer());
    }
    CO_CHECK(at_step(StartStep::commands, Result<>{}));
    if (balloon) {
        CO_TRY(size, at_step(StartStep::balloon, co_await balloon->answer()));
        // The guest has its whole memory until its driver gives some back; BALLOON_CHANGE tells then.
        guest->running->balloon_bytes = balloon_size(size).value_or(0);
        auto live = *guest->live;
        if (guest->running->balloon_bytes > 0)
            live.current_memory->kib = guest->running->balloon_bytes / 1024;
        guest->live = std::make_shared<const Domain>(std::move(live));
    }
    CO_CHECK(at_step(StartStep::verify, check_confined(report)));
    // Again: another monitor or a debugger may have let it run while it was looked at.
    CO_TRY(still, co_await monitor->execute("query-status"));
    CO_CHECK(at_step(StartStep::gate, check_prelaunch(still, *guest)));
    guest->live = std::make_shared<const Domain>(with_ptys(*guest->live, guest->running->ptys));
    guest->running->verified = true;
    co_await status_saved(driver, guest);
    co_return at_step(StartStep::status, check_saved(*guest));
}

/// From a verified QEMU at -S to a running guest; tells the world.
Task<Result<>> let_run(Driver* driver, std::shared_ptr<Guest> guest, bool paused) {
    auto& running = *guest->running;
    if (running.exited) co_return fail(Code::operation_failed, tr("guest unexpectedly quit"));
    if (!running.process->until_it_runs.empty()) {
        auto note = [folder = driver->folders().undo, name = guest->name] {
            return store::note_it_runs(folder, name);
        };
        CO_CHECK(at_step(StartStep::runs, co_await offload(driver->workers(), std::move(note))));
        if (running.exited) co_return fail(Code::operation_failed, tr("guest unexpectedly quit"));
    }
    if (has_agent_channel(*guest->live)) driver->events().emit(event::AgentLifecycle{guest->ref(), 2, 1});
    running.starting = false;
    running.start_paused = paused;
    running.process->until_it_runs.clear();
    if (paused) {
        guest->become(PausedReason::user);
        emit_life(*driver, *guest, {Life::started, Started::booted});
        emit_life(*driver, *guest, {Life::suspended, Suspended::paused});
        co_await status_saved(driver, guest);
        co_return Result<>{};
    }
    running.running_because = RunningReason::booted;
    const auto monitor = running.monitor; // outlives the guest's end while QEMU answers
    CO_TRY(done, at_step(StartStep::cont, co_await monitor->execute("cont")));
    if (!guest->running) co_return fail(Code::operation_failed, tr("guest unexpectedly quit"));
    happened(*driver, guest,
             Happened::qmp_resume); // RESUME came before the answer: then this changes nothing
    emit_life(*driver, *guest, {Life::started, Started::booted});
    CO_CHECK(at_step(StartStep::event, Result<>{}));
    co_await status_saved(driver, guest);
    co_return Result<>{};
}

Task<Result<>> started(Driver* driver, std::shared_ptr<Guest> guest, LaunchOptions options) {
    auto& running = *guest->running;
    auto reserved = reserve(*driver, *guest->definition);
    if (reserved) {
        running.id = reserved->id;
        running.reserved = *reserved;
    }
    CO_CHECK(at_step(StartStep::reserve,
                     reserved ? Result<>{} : Result<>(std::unexpected(std::move(reserved).error()))));
    running.reserved.machine_scope = co_await wants_scope(driver);
    running.settings = saved(driver->conf());
    CO_TRY(ready, co_await prepared(driver, guest->definition, running.reserved, guest->bounded));
    CO_CHECK(still_wanted(*guest));
    running.plan = std::move(ready.plan);
    running.caps = ready.caps;
    auto live = *ready.live;
    live.id = running.id;
    guest->live = std::make_shared<const Domain>(std::move(live));
    guest->taints = running.plan.taints;
    for (const auto& warning : running.plan.warnings)
        log(LogLevel::warning, about(*guest), guest->name + ": " + warning);

    auto start = [work = kernel_work(*driver, *guest, options, *ready.caps)] { return launched(work); };
    CO_TRY(process, co_await offload(driver->workers(), std::move(start)));
    running.process = process;
    running.pid = process->process.pid;
    if (!process->vsock_cids.empty())
        guest->live = std::make_shared<const Domain>(with_cids(*guest->live, process->vsock_cids));
    spawn(driver->executor(), watch(*driver, guest));
    CO_CHECK(still_wanted(*guest));
    CO_CHECK(at_step(StartStep::monitor, co_await connect_monitor(driver, guest)));
    CO_CHECK(still_wanted(*guest));
    auto asked = co_await ask_and_verify(driver, guest);
    if (!asked && asked.error().layer == Layer::none && (running.exited || running.monitor->closed())) {
        auto error = co_await died_early(driver, guest, std::move(asked).error());
        co_return std::unexpected(std::move(error));
    }
    CO_CHECK(std::move(asked));
    CO_CHECK(still_wanted(*guest));
    co_return co_await let_run(driver, guest, options.paused);
}

/// Takes everything back. Nothing of the guest is left but its definition.
Task<void> roll_back(Driver* driver, std::shared_ptr<Guest> guest) {
    const auto run = guest->run;
    if (guest->running && !guest->running->starting) {
        // It ran already: its end is told like any other.
        guest->running->off_because = ShutoffReason::failed;
        if (!guest->running->exited)
            (void)send_signal(guest->running->process->pidfd, SIGKILL); // it may be gone
        (void)co_await guest->wait_until([&] { return guest->finished >= run; },
                                         60s); // watch() does the rest
        co_return;
    }
    if (!guest->running) co_return;
    if (const auto process = guest->running->process) {
        auto kill = [process] {
            (void)send_signal(process->pidfd, SIGKILL); // it may be gone
            return wait_exit(process->pidfd, 10s);
        };
        (void)co_await offload(driver->workers(), std::move(kill)); // release says what could not be removed
    }
    guest->running->exited = true;
    co_await release_guest(*driver, guest, ShutoffReason::failed);
    guest->finished = run;
    guest->changed();
}

} // namespace

Task<Result<>> launch(Driver& driver, std::shared_ptr<Guest> guest, LaunchOptions options) {
    ++guest->run;
    guest->running = std::make_unique<Running>();
    guest->running->autodestroy = options.autodestroy;
    guest->denials.clear();
    guest->become(PausedReason::starting_up);
    auto done = co_await started(&driver, guest, options);
    if (done) co_return done;
    if (guest->running)
        if (auto wanted = still_wanted(*guest); !wanted)
            done = std::move(wanted); // whatever failed then: this is why
    co_await roll_back(&driver, guest);
    auto error = std::move(done).error();
    co_return std::unexpected(std::move(error).during("starting '" + guest->name + "'"));
}

Task<Result<LaunchPlan>> planned(Driver& driver, std::shared_ptr<const Domain> domain, bool bounded) {
    CO_TRY(reserved, reserve_for_show(driver, *domain));
    reserved.every_secret = std::string{};
    reserved.machine_scope = co_await wants_scope(&driver);
    CO_TRY(ready, co_await prepared(&driver, std::move(domain), std::move(reserved), bounded));
    co_return std::move(ready.plan);
}

Task<Result<Report>> confinement_report(Driver& driver, std::shared_ptr<Guest> guest) {
    if (!guest->active() || !guest->running->process) {
        auto refusal = fail(Code::operation_invalid, tr("domain is not running"));
        refusal.error().domain = ErrorDomain::domain;
        co_return refusal;
    }
    if (guest->running->plan.emulator.empty()) // what was planned is being worked out again
        co_return fail(Code::operation_failed,
                       tr("the confinement of the guest is not known yet: the daemon was restarted"));
    auto check = [plan = guest->running->plan, process = guest->running->process] {
        return verify(plan, process->lowered, process->process);
    };
    co_return co_await offload(driver.workers(), std::move(check));
}

} // namespace cloister
