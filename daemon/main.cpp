/// cloisterd: reads its settings, starts the driver, serves its sockets, and ends without disturbing a guest.
#include "conf/base/tr.hpp"
#include "daemon/dbus/bus.hpp"
#include "daemon/dbus/machined.hpp"
#include "daemon/log_output.hpp"
#include "daemon/options.hpp"
#include "daemon/service/service.hpp"
#include "daemon/setup.hpp"
#include "driver/driver.hpp"
#include "driver/log.hpp"
#include "driver/reload.hpp"
#include "driver/steps.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <libintl.h>
#include <memory>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

namespace cloister {
namespace {

/// A private daemon stays away from the host's bus unless it is told which one is its own.
std::string bus_address(const DaemonConf& conf) {
    if (!conf.dbus_address.empty()) return conf.dbus_address;
    return conf.state_root.empty() ? dbus::system_address() : std::string();
}

DriverSetup with_machines(DriverSetup setup, Machines& machines) {
    if (!bus_address(setup.daemon).empty()) setup.machines = &machines;
    return setup;
}

/// What the daemon is made of, in the order in which it is built; taken apart in the opposite order.
struct Daemon {
    boost::asio::io_context reactor{1};
    std::shared_ptr<dbus::Bus> bus; ///< there before whoever asks something on it
    dbus::Machined machines{bus};
    Driver driver;
    Service service;
    boost::asio::signal_set ends{reactor, SIGTERM, SIGINT}, reloads{reactor, SIGHUP},
        children{reactor, SIGCHLD};
    boost::asio::steady_timer sweep{reactor}, alive{reactor};
    pid_t seen_dead = 0; ///< at the last sweep
    bool sweeping = false;
    int exit_code = 0;
    bool ending = false;

    Daemon(DriverSetup setup, std::optional<std::chrono::seconds> idle_limit)
        : bus(std::make_shared<dbus::Bus>(reactor.get_executor(), bus_address(setup.daemon))),
          driver(reactor.get_executor(), with_machines(std::move(setup), machines)),
          service(reactor.get_executor(), driver, bus, idle_limit, [this] { end(); }) {}

    Task<void> begin() {
        bus->start();
        if (const auto started = co_await driver.start(); !started) {
            log(LogLevel::error, full_text(started.error()));
            exit_code = 1;
            reactor.stop();
            co_return;
        }
        if (ending) co_return;
        service.serve();
        (void)::sd_notify(0, "READY=1"); // without systemd there is nobody to tell
        std::uint64_t watchdog = 0;      // microseconds
        if (::sd_watchdog_enabled(0, &watchdog) > 0) say_alive(std::chrono::microseconds(watchdog / 3));
        log(LogLevel::info, "ready");
    }

    /// Once: the gate closes, the calls inside are answered, then the reactor stops.
    void end() {
        if (std::exchange(ending, true)) return;
        (void)::sd_notify(0, "STOPPING=1");
        boost::asio::co_spawn(
            reactor, [this]() -> Task<void> { co_await service.shut_down(); },
            [this](std::exception_ptr) {
                bus->close();
                reactor.stop();
            });
    }

    /// From the reactor: one that hangs does not say it, and systemd starts another daemon. Guests run on.
    void say_alive(std::chrono::microseconds every) {
        alive.expires_after(every);
        alive.async_wait([this, every](boost::system::error_code error) {
            if (error) return;
            (void)::sd_notify(0, "WATCHDOG=1");
            say_alive(every);
        });
    }

    void watch_signals() {
        ends.async_wait([this](boost::system::error_code error, int) {
            if (error) return;
            log(LogLevel::info, "asked to end: guests keep running");
            end();
        });
        watch_reload();
        watch_children();
    }
    void watch_reload() {
        reloads.async_wait([this](boost::system::error_code error, int) {
            if (error || ending) return;
            log(LogLevel::info, "reading the definitions again");
            boost::asio::co_spawn(reactor, reload_definitions(driver), [](std::exception_ptr, Result<> done) {
                if (!done) log(LogLevel::error, full_text(done.error()));
            });
            watch_reload();
        });
    }
    /// The driver waits for the children it made, by pidfd and at once. What is still dead at the second look
    /// was left to us by a guest that ended.
    void watch_children() {
        children.async_wait([this](boost::system::error_code error, int) {
            if (error || ending) return;
            if (!std::exchange(sweeping, true)) sweep_later();
            watch_children();
        });
    }
    void sweep_later() {
        sweep.expires_after(std::chrono::seconds(5));
        sweep.async_wait([this](boost::system::error_code error) {
            if (error || ending) return;
            siginfo_t dead{};
            const bool found =
                ::waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid != 0;
            if (found && dead.si_pid == seen_dead) (void)::waitpid(dead.si_pid, nullptr, WNOHANG);
            seen_dead = found ? dead.si_pid : 0;
            sweeping = found;
            if (found) sweep_later();
        });
    }
};

Result<> start_log(const DaemonConf& conf, const Options& options) {
    auto rules = TRY(log_rules(conf));
    constexpr unsigned information = 2;
    if (options.verbose) rules.level = std::min(rules.level, information);
    return log_by(rules);
}

/// What is wrong with the settings, for a person; nothing is started.
int check_config(const Options& options) {
    const auto found = checked_setup(options);
    for (const auto& warning : found.warnings)
        std::fprintf(stderr, "%s\n", tr("warning: {0}", warning).c_str());
    for (const auto& error : found.errors)
        std::fprintf(stderr, "%s\n", tr("error: {0}", error.message).c_str());
    return found.errors.empty() ? 0 : 1;
}

int run(const Options& options) {
    if (options.check_config) return check_config(options);
    log_to_stderr();
    std::vector<std::string> warnings;
    auto setup = read_setup(options, warnings);
    if (setup)
        if (auto logging = start_log(setup->daemon, options); !logging)
            setup = std::unexpected(logging.error());
    for (const auto& warning : warnings) log(LogLevel::warning, warning);
    if (!setup) {
        log(LogLevel::error, full_text(setup.error()));
        return 1;
    }
    if (options.fault) {
        if (const auto armed = arm_fault(*options.fault); !armed) {
            log(LogLevel::error, full_text(armed.error()));
            return 2;
        }
        log(LogLevel::warning, "a test: there will be a fault at " + *options.fault);
    }

    auto listening = rpc::handed_over();
    if (listening.empty()) {
        std::vector<std::string> taken;
        auto made = rpc::sockets(setup->daemon, taken);
        for (const auto& line : taken) log(LogLevel::warning, line);
        if (!made) {
            log(LogLevel::error, full_text(made.error()));
            return 1;
        }
        listening = *std::move(made);
    }
    if (const auto checked = rpc::check_modes(listening, setup->daemon); !checked) {
        log(LogLevel::error, full_text(checked.error()));
        return 1;
    }
    Daemon daemon(*std::move(setup), options.timeout);
    daemon.service.own(std::move(listening)); // clients wait from here on, instead of failing
    daemon.watch_signals();
    boost::asio::co_spawn(daemon.reactor, daemon.begin(), boost::asio::detached);
    daemon.reactor.run();
    return daemon.exit_code;
}

} // namespace
} // namespace cloister

int main(int argc, char** argv) {
    std::setlocale(LC_ALL, "");
    ::textdomain("cloister");
    const auto options = cloister::read_options(argc, argv);
    if (!options) {
        std::fprintf(stderr, "cloisterd: %s\n%s", full_text(options.error()).c_str(),
                     cloister::usage().c_str());
        return 2;
    }
    if (options->help || options->version) {
        std::fputs(options->help ? cloister::usage().c_str() : "cloisterd " CLOISTER_VERSION "\n", stdout);
        return 0;
    }
    if (options->fault == "list") {
        for (const auto& step : cloister::fault_steps()) std::puts(step.c_str());
        return 0;
    }
    ::umask(077);
    std::signal(SIGPIPE, SIG_IGN);            // a client that has gone is an error of its own call
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1); // what a QEMU leaves behind comes to us, not to init
    return cloister::run(*options);
}
