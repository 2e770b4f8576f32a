/// The driver: what the front ends hand their calls to, and what every operation works with.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/daemon_conf.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/events.hpp"
#include "driver/registry.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace cloister {

struct QemuCaps;      // driver/caps/qemu_caps.hpp
struct HostFacts;     // driver/facts/host_facts.hpp
struct HostQuestions; // driver/probe/host_probe.hpp
class Machines;       // driver/machines.hpp

/// Lets calls in until it is closed, then waits for those inside. Reactor thread only.
class Gate {
    struct Inside;

public:
    /// Being inside; ends when destroyed.
    class [[nodiscard]] Pass {
    public:
        Pass(Pass&&) noexcept = default;
        ~Pass();

    private:
        friend class Gate;
        explicit Pass(std::shared_ptr<Inside> inside) : inside_(std::move(inside)) {}
        std::shared_ptr<Inside> inside_;
    };
    explicit Gate(boost::asio::any_io_executor on);
    /// Errors: operation_invalid once the gate is closed.
    Result<Pass> enter();
    /// Nobody comes in any more; completes when the last one has left.
    boost::asio::awaitable<void> close();

private:
    std::shared_ptr<Inside> inside_;
};

struct DriverSetup {
    QemuConf conf{};
    DaemonConf daemon{};
    Folders folders{};
    bool run_autostart = true;
    std::string logd{};           ///< path of cloister-logd; empty: likewise
    std::string confine_helper{}; ///< path of cloister-confine; empty: the installed one, or the one beside
                                  ///< this program
    Machines* machines = nullptr; ///< null: nobody keeps a list; outlives the driver
};

class Driver {
public:
    /// `reactor` runs everything but the workers' blocking calls; it must be one thread.
    Driver(boost::asio::any_io_executor reactor, DriverSetup setup);
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    /// Loads the definitions, takes over the guests that still run, undoes what a dead daemon left, starts
    /// what is marked autostart. A bad file is logged and skipped; it fails only when the folders cannot be
    /// made or another daemon holds them. Autostart goes on in the background.
    boost::asio::awaitable<Result<>> start();
    /// No new calls; waits for those inside. Guests keep running.
    boost::asio::awaitable<void> shut_down();
    /// The front end's connection has ended: guests that were to end with it are destroyed, its consoles
    /// close.
    void forget_connection(std::uint64_t connection);

    const QemuConf& conf() const { return setup_.conf; }
    const DaemonConf& daemon() const { return setup_.daemon; }
    const Folders& folders() const { return setup_.folders; }
    boost::asio::any_io_executor executor() const { return reactor_; }
    boost::asio::thread_pool& workers() { return workers_; }
    Registry& registry() { return registry_; }
    EventHub& events() { return events_; }
    Gate& gate() { return gate_; }

    /// What this QEMU can do: from the cache, or asked for now. Errors: system when the binary cannot be run.
    boost::asio::awaitable<Result<std::shared_ptr<const QemuCaps>>> caps(std::string emulator);
    /// Null: nobody keeps a list of machines here.
    Machines* machines() const { return setup_.machines; }
    /// The path of cloister-image, which reads the headers of disk images.
    std::string image_reader() const;
    /// The host as it is now, with answers to `questions`. Errors: as host_facts().
    boost::asio::awaitable<Result<HostFacts>> facts(HostQuestions questions);

private:
    boost::asio::any_io_executor reactor_;
    DriverSetup setup_;
    boost::asio::thread_pool workers_;
    Registry registry_{};
    EventHub events_{};
    Gate gate_;

public:
    struct Parts; ///< driver/parts.hpp: ids, ports, names; what only the driver's own files use
    Parts& parts() { return *parts_; }

private:
    std::unique_ptr<Parts> parts_;
};

} // namespace cloister
