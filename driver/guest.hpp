/// One domain as the driver keeps it: its definition, and what it has while it runs. Lives on the reactor
/// thread. The Domain values are never changed in place: a change makes a new one and swaps the pointer, so
/// whoever reads a snapshot is never disturbed and never waits.
#pragma once

#include "conf/base/uuid.hpp"
#include "conf/settings/saved.hpp"
#include "driver/events.hpp"
#include "driver/facts/reserved.hpp"
#include "driver/jobs.hpp"
#include "driver/state.hpp"
#include "security/plan.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace cloister {

struct Domain;   // conf/domain/domain.hpp
struct QemuCaps; // driver/caps/qemu_caps.hpp
class Monitor;   // driver/qmp/monitor.hpp
struct Launched; // driver/launched.hpp: the process, its undo list, its pidfd
class Pipe;      // driver/op/call.hpp

/// One vCPU of a running QEMU, from query-cpus-fast.
struct VcpuThread {
    unsigned index = 0;
    pid_t tid = 0;
    std::string qom_path{};
    bool operator==(const VcpuThread&) const = default;
};

/// What a guest has only while it runs (or is being started). Gone when it has stopped.
struct Running {
    int id = -1;
    pid_t pid = 0;            ///< 0 until QEMU has been spawned
    LaunchPlan plan{};        ///< what was launched; after a hot-plug: what is there now
    Reserved reserved{};      ///< given back when the guest stops
    SavedSettings settings{}; ///< of qemu.conf when it was started
    std::shared_ptr<const QemuCaps> caps{};
    std::shared_ptr<Launched> process{};
    std::shared_ptr<Monitor>
        monitor{}; ///< null: before the connection, and when QEMU could not be reached again
    std::map<std::string, std::string> ptys{}; ///< chardev id -> /dev/pts/N
    std::vector<VcpuThread> vcpus{};
    std::uint64_t balloon_bytes = 0;            ///< what the guest has now; 0: not known
    std::optional<std::uint64_t> autodestroy{}; ///< the connection whose end ends the guest
    bool starting = true;                       ///< before `cont`
    bool ran_early = false; ///< QEMU said RESUME while `starting`: somebody else let it run
    bool verified = false;  ///< its confinement was, before `cont`
    bool start_paused = false;
    bool fake_reboot = false;
    bool destroying = false;                 ///< virDomainDestroy, or a lifecycle action that destroys
    bool shutdown_seen = false;              ///< QEMU said SHUTDOWN
    bool saving = false, save_again = false; ///< of the status file
    bool unsaved = false;                    ///< the last try failed
    bool exited = false;                     ///< QEMU is gone; what it had is being given back
    bool stopping = false;                   ///< being torn down: nothing new may begin
    bool agent_busy = false;                 ///< somebody talks with the guest agent
    Status paused_because{PausedReason::unknown};
    Status running_because{RunningReason::unpaused};
    std::optional<Status> off_because{}; ///< prepared by who ends the guest; otherwise how QEMU ended decides
    /// Alias -> what to do when QEMU says that the device has been removed (hot-unplug): once, after it left
    /// `live`.
    std::map<std::string, std::function<void()>> on_removed{};
    std::map<std::string, std::shared_ptr<Pipe>> consoles{}; ///< alias -> who has it open
};

/// One domain. Shared: a coroutine that works on it keeps it alive after it has left the registry.
struct Guest : std::enable_shared_from_this<Guest> {
    Guest(boost::asio::any_io_executor on, std::shared_ptr<const Domain> definition);
    ~Guest();

    std::string name{};
    Uuid uuid{};
    /// The stored definition; for a transient guest the one it was created from (then `persistent` is false).
    std::shared_ptr<const Domain> definition{};
    /// What runs; null when inactive. Complete: defaults, addresses, aliases, ports.
    std::shared_ptr<const Domain> live{};
    bool persistent = false;
    bool autostart = false;
    bool bounded = false;   ///< a client other than root has given the definition: see Bounds
    bool updated = false;   ///< virDomainIsUpdated: the definition was changed while the guest ran
    bool removed = false;   ///< no longer in the registry
    int agent_timeout = -2; ///< seconds, of guest agent calls; -2: as long as it takes
    Status status{ShutoffReason::unknown};
    std::chrono::steady_clock::time_point since{}; ///< of `status`
    std::vector<std::string> taints{};             ///< libvirt's flags, of this run
    std::vector<std::string> deprecations{};
    std::vector<std::string> denials{}; ///< why its last QEMU ended early; until the next start
    /// Printed texts by the flags they were asked with, and the value they are of. Only DomainGetXmlDesc uses
    /// it.
    std::map<std::uint32_t, std::pair<std::shared_ptr<const Domain>, std::string>> texts{};
    Jobs jobs;
    std::unique_ptr<Running> running{}; ///< null: not running
    std::uint64_t run = 0;      ///< counts the starts: whoever waited knows whether it is still the same run
    std::uint64_t finished = 0; ///< the last run that is over, its events included

    bool active() const { return running != nullptr; }
    int id() const { return running ? running->id : -1; }
    DomainRef ref() const { return {name, uuid, id()}; }
    /// What clients see: the live domain while it runs, else the definition.
    const std::shared_ptr<const Domain>& current() const { return live ? live : definition; }
    void become(Status next);

    /// Something about the guest is different: everyone in wait_until() looks again.
    void changed();
    /// Waits for `done()` to be true; looked at now and after every changed(). False: it did not become so in
    /// time.
    boost::asio::awaitable<bool> wait_until(std::function<bool()> done, std::chrono::milliseconds patience);

private:
    boost::asio::any_io_executor on_;
    std::list<boost::asio::steady_timer> waiting_{};
};

} // namespace cloister
