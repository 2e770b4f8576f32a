#include "driver/launch.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/agent.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/domain_log.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/guest.hpp"
#include "driver/guest_logs.hpp"
#include "driver/last_words.hpp"
#include "driver/launched.hpp"
#include "driver/log.hpp"
#include "driver/monitor_answers.hpp"
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

HostQuestions questions_about(const Domain& domain, const QemuConf& conf) {
    HostQuestions out{.owners = identities_of_interest(domain, conf), .devices = wants_host_devices(domain)};
    for (auto& image : images_of_interest(domain))
        out.paths.push_back({image.path, image.format, image.alone});
    for (auto& path : paths_of_interest(domain, conf)) out.paths.push_back({std::move(path), {}});
    return out;
}

/// An error that says at which step of the start it happened.
template <class T> Result<T> at_step(Result<T> result, std::string_view step) {
    if (!result) result.error().context.push_back(std::string(step));
    return result;
}

Task<Result<Prepared>> prepared(Driver* driver, DomainPointer definition, Reserved reserved) {
    Prepared out{.reserved = std::move(reserved)};
    const auto emulator = definition->devices.emulator.value_or(std::string{});
    CO_TRY(caps, at_step(co_await driver->caps(emulator), "asking QEMU what it can do"));
    CO_TRY(facts, at_step(co_await driver->facts(questions_about(*definition, driver->conf())),
                          "looking at the host"));
    const auto paths = launch_paths(driver->folders(), *definition, out.reserved.id);
    CO_TRY(live, at_step(live_copy(*definition, *caps, driver->conf(), facts, out.reserved, paths,
                                   driver->folders()),
                         "making the live definition"));
    CO_TRY(plan, at_step(plan_launch(live, *caps, driver->conf(), facts, out.reserved, paths), "planning"));
    out.caps = caps;
    out.live = std::make_shared<const Domain>(std::move(live));
    out.plan = std::move(plan);
    co_return out;
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
    TRY(store::append_file(
        work.plan.paths.log,
        log_header(std::chrono::system_clock::now(), with_host(work.header), work.plan, launch.argv())));
    out.log_start = store::size_of(work.plan.paths.log);
    TRY(at_step(launch.spawn(), "starting the launch helper"));
    TRY(journal.add(launch.process())); // before the go byte: what exists can be found again
    TRY(store::write_volatile(work.pid_file, fmt::format("{}\n", launch.process().pid), 0644));
    TRY(at_step(launch.confine(), "confining"));
    out.mount_namespace = mount_namespace_of(work.plan, launch.process());
    return at_step(launch.exec(), "executing QEMU");
}

/// From the plan to a QEMU that waits at -S, or nothing at all.
Result<std::shared_ptr<Launched>> launched(const KernelWork& work) {
    for (const auto& folder : work.folders) TRY(store::make_folder(folder));
    for (const auto& file : work.forget) TRY(store::remove_file(file));
    auto out = std::make_shared<Launched>();
    auto environment = work.environment;
    Fd output;
    if (work.logs) {
        output = TRY(work.logs->open(work.journal.name, work.plan.paths.log));
        environment.log_fd = output.n();
    }
    auto journal = TRY(store::JournalWriter::create(work.undo_folder, work.journal));
    auto launch =
        Launch::prepare(work.plan, environment, [&](const std::vector<Op>& ops) { return journal.add(ops); });
    if (!launch) {
        (void)store::remove_journal(work.undo_folder, work.journal.name); // all is taken back already
        return std::unexpected(std::move(launch).error().during("preparing the host"));
    }
    if (auto done = run_steps(*launch, work, journal, *out); !done) {
        auto error = std::move(done).error();
        if (auto back = launch->abandon(); !back)
            error.context.push_back("taking back: " + back.error().message);
        else
            (void)store::remove_journal(work.undo_folder, work.journal.name); // likewise
        (void)store::remove_file(work.pid_file);
        return std::unexpected(std::move(error));
    }
    out->process = launch->process();
    out->pidfd = launch->take_pidfd();
    out->undo = launch->undo();
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

Result<> check_prelaunch(const json::value& status) {
    const auto* members = status.if_object();
    const auto* text = members ? members->if_contains("status") : nullptr;
    if (text && text->is_string() && text->get_string() == "prelaunch") return {};
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
    CO_TRY(is, co_await status.answer());
    CO_CHECK(check_prelaunch(is));
    CO_TRY(backends, co_await chardevs.answer());
    guest->running->ptys = ptys_in(backends);
    CO_TRY(threads, co_await cpus.answer());
    guest->running->vcpus = vcpus_in(threads);
    for (auto& command : commands) {
        CO_TRY(done, co_await command.answer());
    }
    if (balloon) {
        CO_TRY(size, co_await balloon->answer());
        // The guest has its whole memory until its driver gives some back; BALLOON_CHANGE tells then.
        guest->running->balloon_bytes = balloon_size(size).value_or(0);
        auto live = *guest->live;
        if (guest->running->balloon_bytes > 0)
            live.current_memory->kib = guest->running->balloon_bytes / 1024;
        guest->live = std::make_shared<const Domain>(std::move(live));
    }
    CO_CHECK(at_step(check_confined(report), "verifying the confinement"));
    guest->live = std::make_shared<const Domain>(with_ptys(*guest->live, guest->running->ptys));
    co_await status_saved(driver, guest);
    co_return Result<>{};
}

/// From a verified QEMU at -S to a running guest; tells the world.
Task<Result<>> let_run(Driver* driver, std::shared_ptr<Guest> guest, bool paused) {
    auto& running = *guest->running;
    if (running.exited) co_return fail(Code::operation_failed, tr("guest unexpectedly quit"));
    if (has_agent_channel(*guest->live)) driver->events().emit(event::AgentLifecycle{guest->ref(), 2, 1});
    running.starting = false;
    running.start_paused = paused;
    if (paused) {
        guest->become(PausedReason::user);
        emit_life(*driver, *guest, {Life::started, Started::booted});
        emit_life(*driver, *guest, {Life::suspended, Suspended::paused});
        co_await status_saved(driver, guest);
        co_return Result<>{};
    }
    running.running_because = RunningReason::booted;
    const auto monitor = running.monitor; // outlives the guest's end while QEMU answers
    CO_TRY(done, co_await monitor->execute("cont"));
    if (!guest->running) co_return fail(Code::operation_failed, tr("guest unexpectedly quit"));
    happened(*driver, guest,
             Happened::qmp_resume); // RESUME came before the answer: then this changes nothing
    emit_life(*driver, *guest, {Life::started, Started::booted});
    co_await status_saved(driver, guest);
    co_return Result<>{};
}

Task<Result<>> started(Driver* driver, std::shared_ptr<Guest> guest, LaunchOptions options) {
    auto& running = *guest->running;
    CO_TRY(reserved, at_step(reserve(*driver, *guest->definition), "reserving ports and names"));
    running.id = reserved.id;
    running.reserved = reserved;
    running.settings = saved(driver->conf());
    CO_TRY(ready, co_await prepared(driver, guest->definition, running.reserved));
    CO_CHECK(still_wanted(*guest));
    running.plan = std::move(ready.plan);
    running.caps = ready.caps;
    auto live = *ready.live;
    live.id = running.id;
    guest->live = std::make_shared<const Domain>(std::move(live));
    guest->taints = running.plan.taints;
    for (const auto& warning : running.plan.warnings) log(LogLevel::warning, guest->name + ": " + warning);

    auto start = [work = kernel_work(*driver, *guest, options, *ready.caps)] { return launched(work); };
    CO_TRY(process, co_await offload(driver->workers(), std::move(start)));
    running.process = process;
    running.pid = process->process.pid;
    if (!process->vsock_cids.empty())
        guest->live = std::make_shared<const Domain>(with_cids(*guest->live, process->vsock_cids));
    spawn(driver->executor(), watch(*driver, guest));
    CO_CHECK(still_wanted(*guest));
    CO_CHECK(at_step(co_await connect_monitor(driver, guest), "connecting to the monitor"));
    CO_CHECK(still_wanted(*guest));
    auto asked = co_await ask_and_verify(driver, guest);
    if (!asked && asked.error().layer == Layer::none && (running.exited || running.monitor->closed())) {
        auto error = co_await died_early(driver, guest, std::move(asked).error());
        co_return std::unexpected(std::move(error));
    }
    CO_CHECK(std::move(asked));
    CO_CHECK(still_wanted(*guest));
    co_return at_step(co_await let_run(driver, guest, options.paused), "letting the guest run");
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

Task<Result<LaunchPlan>> planned(Driver& driver, std::shared_ptr<const Domain> domain) {
    CO_TRY(reserved, reserve_for_show(driver, *domain));
    reserved.every_secret = std::string{};
    CO_TRY(ready, co_await prepared(&driver, std::move(domain), std::move(reserved)));
    co_return std::move(ready.plan);
}

Task<Result<Report>> confinement_report(Driver& driver, std::shared_ptr<Guest> guest) {
    if (!guest->active() || !guest->running->process) {
        auto refusal = fail(Code::operation_invalid, tr("domain is not running"));
        refusal.error().domain = ErrorDomain::domain;
        co_return refusal;
    }
    auto check = [plan = guest->running->plan, process = guest->running->process] {
        return verify(plan, process->lowered, process->process);
    };
    co_return co_await offload(driver.workers(), std::move(check));
}

} // namespace cloister
