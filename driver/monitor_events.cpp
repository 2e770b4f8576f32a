#include "driver/monitor_events.hpp"

#include "conf/base/overload.hpp"
#include "conf/domain/devices.hpp"
#include "driver/about.hpp"
#include "driver/driver.hpp"
#include "driver/guest.hpp"
#include "driver/log.hpp"
#include "driver/offload.hpp"
#include "driver/qmp/events.hpp"
#include "driver/stop.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/core.h>

namespace cloister {

using namespace std::chrono_literals;

namespace {

/// The device's id from a QOM path: "/machine/peripheral/virtio-disk0/virtio-backend" -> "virtio-disk0".
std::string alias_in(const std::string& device_or_path) {
    constexpr std::string_view folder = "/machine/peripheral/";
    if (!device_or_path.starts_with(folder)) return device_or_path;
    const auto rest = device_or_path.substr(folder.size());
    return rest.substr(0, rest.find('/'));
}

/// The disk that an event is about: by its device or, where QEMU names none, by the node of its image
/// ("libvirt-1-format").
const Disk* disk_of(const Domain& domain, const std::string& alias, const std::string& node) {
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (!alias.empty() && disk->info.alias && disk->info.alias->name == alias) return disk;
        if (alias.empty() && disk->source && disk->source->index &&
            node.starts_with("libvirt-" + std::to_string(*disk->source->index) + "-"))
            return disk;
    }
    return nullptr;
}

std::string source_of(const Disk& disk) {
    return disk.source ? disk.source->file.value_or(disk.source->dev.value_or("")) : std::string();
}

int address_family(const std::string& family) { return family == "ipv6" ? 1 : family == "unix" ? 2 : 0; }

/// One visitor for one event of one guest.
struct Meaning {
    Driver& driver;
    const std::shared_ptr<Guest>& guest;

    void tell(const Event& what) const { driver.events().emit(what); }

    void operator()(const qmp::Shutdown& e) const {
        happened(driver, guest,
                 !e.guest   ? Happened::qmp_shutdown
                 : *e.guest ? Happened::qmp_shutdown_by_guest
                            : Happened::qmp_shutdown_by_host);
    }
    void operator()(const qmp::Reset&) const { happened(driver, guest, Happened::qmp_reset); }
    void operator()(const qmp::Stop&) const { happened(driver, guest, Happened::qmp_stop); }
    void operator()(const qmp::Resume&) const {
        if (guest->running->starting) guest->running->ran_early = true;
        happened(driver, guest, Happened::qmp_resume);
    }
    void operator()(const qmp::Powerdown&) const {}
    void operator()(const qmp::Suspend&) const {
        happened(driver, guest, Happened::qmp_suspend);
        tell(event::PmSuspend{guest->ref()});
    }
    void operator()(const qmp::SuspendDisk&) const {
        happened(driver, guest, Happened::qmp_suspend_disk);
        tell(event::PmSuspendDisk{guest->ref()});
    }
    void operator()(const qmp::Wakeup&) const {
        happened(driver, guest, Happened::qmp_wakeup);
        tell(event::PmWakeup{guest->ref()});
    }
    void operator()(const qmp::RtcChange& e) const { tell(event::RtcChange{guest->ref(), e.offset}); }
    void operator()(const qmp::Watchdog& e) const {
        tell(event::Watchdog{guest->ref(), static_cast<int>(e.action)});
        if (e.action == qmp::WatchdogAction::pause) happened(driver, guest, Happened::watchdog_paused);
    }
    void operator()(const qmp::BlockIoError& e) const {
        auto alias = alias_in(e.device);
        const auto* disk = guest->live ? disk_of(*guest->live, alias, e.node_name) : nullptr;
        if (disk && disk->info.alias) alias = disk->info.alias->name;
        const auto source = disk ? source_of(*disk) : std::string();
        const int action = e.action == qmp::IoErrorAction::stop     ? 1
                           : e.action == qmp::IoErrorAction::report ? 2
                                                                    : 0;
        tell(event::IoError{guest->ref(), source, alias, action});
        tell(event::IoErrorReason{guest->ref(), source, alias, action, e.no_space ? "enospc" : ""});
        if (e.action == qmp::IoErrorAction::stop) happened(driver, guest, Happened::io_error_paused);
    }
    void operator()(const qmp::DeviceDeleted& e) const {
        if (!e.device) return; // something inside a device that is reported itself
        const auto alias = *e.device;
        edit_live(driver, guest, [&](Domain& domain) {
            std::erase_if(domain.devices.list,
                          [&](const Device& device) { return alias_of(device) == alias; });
        });
        if (auto then = guest->running->on_removed.extract(alias); !then.empty()) then.mapped()();
        tell(event::DeviceRemoved{guest->ref(), alias});
    }
    void operator()(const qmp::DeviceUnplugFailed& e) const {
        if (e.device) tell(event::DeviceRemovalFailed{guest->ref(), *e.device});
    }
    void operator()(const qmp::TrayMoved& e) const {
        edit_live(driver, guest, [&](Domain& domain) {
            for_each<Disk>(domain, [&](Disk& disk) {
                if (disk.info.alias && disk.info.alias->name == e.id)
                    disk.target.tray = e.open ? std::optional(TrayState::open) : std::nullopt;
            });
        });
        tell(event::TrayChange{guest->ref(), e.id, e.open ? 0 : 1});
    }
    void operator()(const qmp::SerialPortChange& e) const {
        bool agent = false;
        edit_live(driver, guest, [&](Domain& domain) {
            for_each<Channel>(domain, [&](Channel& channel) {
                auto* port = channel.target ? std::get_if<VirtioChannel>(&channel.target->kind) : nullptr;
                if (!port || !channel.info.alias || channel.info.alias->name != e.id) return;
                port->state = e.open ? ChannelState::connected : ChannelState::disconnected;
                agent = port->name == "org.qemu.guest_agent.0";
            });
        });
        if (agent) tell(event::AgentLifecycle{guest->ref(), e.open ? 1 : 2, 2});
    }
    void operator()(const qmp::BalloonChange& e) const {
        guest->running->balloon_bytes = e.actual;
        edit_live(driver, guest, [&](Domain& domain) {
            if (!domain.current_memory) domain.current_memory.emplace();
            domain.current_memory->kib = e.actual / 1024;
        });
        tell(event::BalloonChange{guest->ref(), e.actual / 1024});
    }
    void operator()(const qmp::GuestPanicked&) const { happened(driver, guest, Happened::guest_panicked); }
    void operator()(const qmp::GuestCrashLoaded&) const {
        happened(driver, guest, Happened::guest_crash_loaded);
    }
    void operator()(const qmp::WriteThreshold& e) const {
        tell(event::BlockThreshold{guest->ref(), e.node_name, std::nullopt, e.threshold, e.exceeded_by});
    }
    void operator()(const qmp::MemoryDeviceSize& e) const {
        tell(event::MemoryDeviceSizeChange{guest->ref(), e.id, e.size / 1024});
    }
    void operator()(const qmp::MemoryFailure& e) const {
        const int action = e.action == "inject" ? 1 : e.action == "fatal" ? 2 : e.action == "reset" ? 3 : 0;
        tell(event::MemoryFailure{guest->ref(), e.recipient == "guest" ? 1 : 0, action,
                                  (e.action_required ? 1u : 0u) | (e.recursive ? 2u : 0u)});
    }
    void operator()(const qmp::GraphicsEvent& e) const {
        const auto peer = [](const qmp::Peer& p) {
            return event::GraphicsPeer{address_family(p.family), p.host, p.service};
        };
        event::Graphics out{.domain = guest->ref(),
                            .phase = static_cast<int>(e.phase),
                            .local = peer(e.server),
                            .remote = peer(e.client),
                            .auth = e.auth};
        if (e.x509_dname) out.subject.emplace_back("x509dname", *e.x509_dname);
        if (e.sasl_username) out.subject.emplace_back("saslUsername", *e.sasl_username);
        tell(out);
    }
    // Answered by whoever asked for it; nobody does in this version.
    void operator()(const qmp::JobStatusChange&) const {}
    void operator()(const qmp::BlockJobEvent&) const {}
    void operator()(const qmp::RxFilterChanged&) const {}
    void operator()(const qmp::MigrationStatus&) const {}
    void operator()(const qmp::MigrationPass&) const {}
    void operator()(const qmp::DumpCompleted&) const {}
    void operator()(const qmp::AcpiDeviceOst&) const {}
    void operator()(const qmp::PrManagerStatus&) const {}
    void operator()(const qmp::SpiceMigrated&) const {}
};

/// The conversation ended. Usually QEMU is going; when it is not, the guest runs on without a monitor.
Task<void> monitor_lost(Driver* driver, std::shared_ptr<Guest> guest, Error why) {
    const auto run = guest->run;
    guest->changed();
    const auto gone = co_await guest->wait_until(
        [&] { return guest->run != run || !guest->running || guest->running->exited; }, 5s);
    if (gone || guest->run != run || !guest->running || guest->running->starting) co_return;
    log(LogLevel::error, about(*guest),
        fmt::format("the monitor of '{}' is lost: {}", guest->name, full_text(why)));
    guest->running->monitor.reset();
    driver->events().emit(event::ControlError{guest->ref()});
}

} // namespace

void edit_live(Driver& driver, const std::shared_ptr<Guest>& guest,
               const std::function<void(Domain&)>& change) {
    if (!guest->live) return;
    auto next = std::make_shared<Domain>(*guest->live);
    change(*next);
    guest->live = std::move(next);
    save_status(driver, guest);
    guest->changed();
}

MonitorHooks monitor_hooks(Driver& driver, const std::shared_ptr<Guest>& guest) {
    const auto run = guest->run;
    const auto now = [weak = guest->weak_from_this(), run]() -> std::shared_ptr<Guest> {
        auto strong = weak.lock();
        return strong && strong->run == run && strong->running ? strong : nullptr;
    };
    return {
        .on_event =
            [&driver, now](std::string name, boost::json::object data, qmp::EventTime at) {
                const auto alive = now();
                if (!alive) return;
                driver.events().emit(event::MonitorEvent{
                    .domain = alive->ref(),
                    .name = name,
                    .seconds = at.seconds,
                    .micros = at.micros,
                    .details = data.empty() ? std::nullopt : std::optional(boost::json::serialize(data))});
                if (const auto known = qmp::event_of(name, data)) std::visit(Meaning{driver, alive}, *known);
            },
        .on_closed =
            [&driver, now](Error why) {
                if (const auto alive = now())
                    spawn(driver.executor(), monitor_lost(&driver, alive, std::move(why)));
            }};
}

} // namespace cloister
