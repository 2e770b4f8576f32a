#include "driver/op/lifecycle.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain.hpp"
#include "driver/agent.hpp"
#include "driver/define.hpp"
#include "driver/launch.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/qmp/client.hpp"
#include "driver/stop.hpp"
#include "driver/store/files.hpp"

namespace cloister {

namespace {

constexpr std::uint32_t start_paused = 1, start_autodestroy = 2, start_bypass_cache = 4, start_force_boot = 8,
                        start_validate = 16, start_reset_nvram = 32;
constexpr std::uint32_t shutdown_acpi = 1, shutdown_agent = 2;

LaunchOptions options(const Call& call, std::uint32_t flags) {
    return {.paused = (flags & start_paused) != 0,
            .reset_nvram = (flags & start_reset_nvram) != 0,
            .autodestroy =
                flags & start_autodestroy ? std::optional<std::uint64_t>(call.connection) : std::nullopt};
}

Task<Result<GuestPointer>> start(Call call, call::DomainHandle domain, std::uint32_t flags) {
    CO_CHECK(check_flags(
        flags, start_paused | start_autodestroy | start_bypass_cache | start_force_boot | start_reset_nvram,
        "qemuDomainCreateWithFlags"));
    CO_TRY(guest, find(call, domain));
    CO_TRY(turn, co_await change(guest, "virDomainCreateWithFlags"));
    if (guest->active()) co_return refuse(Code::operation_invalid, tr("domain is already running"));
    CO_CHECK(co_await launch(*call.driver, guest, options(call, flags)));
    co_return guest;
}

/// A domain that was made for one run, and did not get there.
void drop_if_new(Driver& driver, const GuestPointer& guest) {
    if (guest->persistent || guest->active() || guest->removed) return;
    guest->removed = true;
    driver.registry().remove(*guest);
}

/// Through the guest agent. One that does as it is told may be gone before it answers.
Task<Result<>> ask_to_end(GuestPointer guest, bool reboot) {
    CO_CHECK(need_agent(*guest));
    const auto run = guest->run;
    boost::json::object how{{"mode", reboot ? "reboot" : "powerdown"}};
    auto answer = co_await ask_agent(guest, "guest-shutdown", std::move(how), AgentPatience{-1});
    const bool ending = guest->run != run || !guest->running || guest->running->shutdown_seen;
    if (answer || ending || answer.error().code == Code::agent_unresponsive) co_return Result<>{};
    co_return std::unexpected(std::move(answer).error());
}

Task<Result<>> shut_down(Call call, call::DomainHandle domain, std::uint32_t flags, bool reboot) {
    CO_CHECK(check_flags(flags, shutdown_acpi | shutdown_agent,
                         reboot ? "qemuDomainReboot" : "qemuDomainShutdownFlags"));
    CO_TRY(guest, find(call, domain));
    if (!guest->active())
        co_return refuse(Code::operation_invalid, tr("domain is not running"),
                         reboot ? ErrorDomain::domain : ErrorDomain::qemu);
    if ((flags & shutdown_agent) && !(flags & shutdown_acpi)) co_return co_await ask_to_end(guest, reboot);
    CO_TRY(turn, co_await change(guest, reboot ? "virDomainReboot" : "virDomainShutdownFlags"));
    CO_TRY(monitor, need_monitor(*guest));
    if (!reboot && guest->status.state != State::running)
        co_return refuse(Code::operation_invalid, tr("domain is not running"));
    auto& running = *guest->running;
    const auto& live = *guest->live;
    const auto restarts = [](std::optional<LifecycleAction> action) {
        return action.value_or(LifecycleAction::restart) == LifecycleAction::restart ||
               action == LifecycleAction::rename_restart;
    };
    running.fake_reboot = reboot ? restarts(live.on_reboot) : live.on_poweroff && restarts(live.on_poweroff);
    CO_TRY(done, co_await monitor->execute("system_powerdown"));
    co_await status_saved(call.driver, guest);
    co_return Result<>{};
}

} // namespace

Task<Result<DomainCreate::Out>> DomainCreate::run(Call call, In in) {
    CO_TRY(guest, co_await start(call, in.dom, 0));
    co_return Out{};
}

Task<Result<DomainCreateWithFlags::Out>> DomainCreateWithFlags::run(Call call, In in) {
    CO_TRY(guest, co_await start(call, in.dom, in.flags));
    co_return Out{handle(*guest)};
}

Task<Result<DomainCreateXml::Out>> DomainCreateXml::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, start_paused | start_autodestroy | start_validate | start_reset_nvram,
                         "qemuDomainCreateXML"));
    auto& driver = *call.driver;
    CO_TRY(definition, co_await complete_definition(call, std::move(in.xml_desc.value)));
    const auto uuid = definition->uuid.value_or(Uuid{});
    CO_TRY(existing, driver.registry().matching(definition->name, uuid));
    auto guest = existing;
    if (guest && guest->active())
        co_return refuse(Code::operation_invalid, tr("domain '{0}' is already active", definition->name),
                         ErrorDomain::domain);
    if (!guest) {
        guest = std::make_shared<Guest>(driver.executor(), definition);
        driver.registry().add(guest);
    }
    auto turn = co_await change(guest, "virDomainCreateXML");
    if (!turn) {
        drop_if_new(driver, guest);
        co_return std::unexpected(std::move(turn).error());
    }
    if (guest->active())
        co_return refuse(Code::operation_invalid, tr("domain '{0}' is already active", definition->name),
                         ErrorDomain::domain);
    // A stored domain runs what this text says, this once: its definition stays.
    const auto stored = guest->definition;
    const bool stored_bounded = guest->bounded;
    guest->definition = definition;
    guest->bounded = call.rights != nullptr;
    auto started = co_await launch(driver, guest, options(call, in.flags));
    if (guest->persistent) {
        guest->definition = stored;
        guest->bounded = stored_bounded;
    }
    if (!started) {
        drop_if_new(driver, guest);
        co_return std::unexpected(std::move(started).error());
    }
    co_return Out{handle(*guest)};
}

Task<Result<DomainDestroy::Out>> DomainDestroy::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(co_await destroy(*call.driver, guest, Graceful::no));
    co_return Out{};
}

Task<Result<DomainDestroyFlags::Out>> DomainDestroyFlags::run(Call call, In in) {
    constexpr std::uint32_t graceful = 1, remove_logs = 2;
    CO_CHECK(check_flags(in.flags, graceful | remove_logs, "qemuDomainDestroyFlags"));
    CO_TRY(guest, find(call, in.dom));
    const auto log = guest->running ? guest->running->plan.paths.log : std::string{};
    CO_CHECK(co_await destroy(*call.driver, guest, in.flags & graceful ? Graceful::yes : Graceful::no));
    auto remove = [log, backups = call.driver->daemon().guest_log_max_backups]() -> Result<> {
        for (unsigned i = 0; i < backups; ++i) TRY(store::remove_file(fmt::format("{}.{}", log, i)));
        return store::remove_file(log);
    };
    if ((in.flags & remove_logs) && !log.empty())
        CO_CHECK(co_await offload(call.driver->workers(), std::move(remove)));
    co_return Out{};
}

Task<Result<DomainShutdown::Out>> DomainShutdown::run(Call call, In in) {
    CO_CHECK(co_await shut_down(std::move(call), std::move(in.dom), 0, false));
    co_return Out{};
}
Task<Result<DomainShutdownFlags::Out>> DomainShutdownFlags::run(Call call, In in) {
    CO_CHECK(co_await shut_down(std::move(call), std::move(in.dom), in.flags, false));
    co_return Out{};
}
Task<Result<DomainReboot::Out>> DomainReboot::run(Call call, In in) {
    CO_CHECK(co_await shut_down(std::move(call), std::move(in.dom), in.flags, true));
    co_return Out{};
}

Task<Result<DomainReset::Out>> DomainReset::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainReset"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    CO_TRY(turn, co_await change(guest, "virDomainReset"));
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(done, co_await monitor->execute("system_reset"));
    if (!guest->running) co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    guest->running->fake_reboot = false;
    if (guest->status.state == State::crashed) guest->become(PausedReason::crashed);
    co_await status_saved(call.driver, guest);
    co_return Out{};
}

Task<Result<DomainSuspend::Out>> DomainSuspend::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    CO_TRY(turn, co_await change(guest, "virDomainSuspend"));
    CO_TRY(monitor, need_monitor(*guest));
    if (guest->status.state == State::pm_suspended)
        co_return refuse(Code::operation_invalid, tr("domain is pmsuspended"));
    if (guest->status.state == State::paused) co_return Out{};
    guest->running->paused_because = PausedReason::user;
    CO_TRY(done, co_await monitor->execute("stop"));
    if (!guest->running) co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    happened(*call.driver, guest,
             Happened::qmp_stop); // the event came before the answer: then this changes nothing
    co_await status_saved(call.driver, guest);
    co_return Out{};
}

Task<Result<DomainResume::Out>> DomainResume::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    CO_TRY(turn, co_await change(guest, "virDomainResume"));
    CO_TRY(monitor, need_monitor(*guest));
    if (guest->status.state == State::pm_suspended)
        co_return refuse(Code::operation_invalid, tr("domain is pmsuspended"));
    if (guest->status.state == State::running)
        co_return refuse(Code::operation_invalid, tr("domain is already running"));
    if (guest->status == Status{PausedReason::crashed})
        co_return refuse(Code::operation_invalid, tr("domain is paused after a crash: reset it first"));
    guest->running->running_because = RunningReason::unpaused;
    CO_TRY(done, co_await monitor->execute("cont"));
    if (!guest->running) co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    happened(*call.driver, guest, Happened::qmp_resume);
    co_await status_saved(call.driver, guest);
    co_return Out{};
}

Task<Result<DomainPmWakeup::Out>> DomainPmWakeup::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainPMWakeup"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    CO_TRY(turn, co_await change(guest, "virDomainPMWakeup"));
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(done, co_await monitor->execute("system_wakeup"));
    co_return Out{};
}

} // namespace cloister
