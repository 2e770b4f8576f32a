/// QEMU's events that the driver acts on, as values. Pure. Source: facts/behaviour.md F.3, QEMU's qapi/*.json
/// (7.2).
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cloister::qmp {

struct Shutdown {
    std::optional<bool> guest{}; ///< true: the guest asked; false: the host; absent: QEMU does not say
    std::string reason{};        ///< "guest-shutdown", "host-signal", "host-qmp-quit", "guest-panic" …
    bool operator==(const Shutdown&) const = default;
};
struct Reset {
    bool guest = false;
    std::string reason{};
    bool operator==(const Reset&) const = default;
};
struct Stop {
    bool operator==(const Stop&) const = default;
};
struct Resume {
    bool operator==(const Resume&) const = default;
};
struct Powerdown {
    bool operator==(const Powerdown&) const = default;
};
struct Suspend {
    bool operator==(const Suspend&) const = default;
};
struct SuspendDisk {
    bool operator==(const SuspendDisk&) const = default;
};
struct Wakeup {
    bool operator==(const Wakeup&) const = default;
};
struct RtcChange {
    std::int64_t offset = 0; ///< seconds
    bool operator==(const RtcChange&) const = default;
};
enum class WatchdogAction { none, pause, reset, poweroff, shutdown, debug, inject_nmi };
struct Watchdog {
    WatchdogAction action = WatchdogAction::none;
    bool operator==(const Watchdog&) const = default;
};
enum class IoErrorAction { ignore, report, stop };
struct BlockIoError {
    std::string device{}; ///< a device's id or QOM path, may be empty
    std::string node_name{};
    IoErrorAction action = IoErrorAction::report;
    bool write = false, no_space = false;
    std::string reason{}; ///< for people
    bool operator==(const BlockIoError&) const = default;
};
struct JobStatusChange {
    std::string id{}, status{}; ///< "created", "running", "ready", "concluded", "null" …
    bool operator==(const JobStatusChange&) const = default;
};
/// BLOCK_JOB_READY, BLOCK_JOB_COMPLETED, BLOCK_JOB_CANCELLED.
struct BlockJobEvent {
    enum class What { ready, completed, cancelled };
    What what = What::ready;
    std::string device{}, type{};
    std::int64_t length = 0, offset = 0; ///< bytes
    std::string error{};
    bool operator==(const BlockJobEvent&) const = default;
};
struct DeviceDeleted {
    std::optional<std::string> device{}; ///< the id; absent for what lies inside a device
    std::string path{};
    bool operator==(const DeviceDeleted&) const = default;
};
struct DeviceUnplugFailed {
    std::optional<std::string> device{};
    std::string path{};
    bool operator==(const DeviceUnplugFailed&) const = default;
};
struct TrayMoved {
    std::string device{}, id{}; ///< id: of the device; device: of the old block backend, may be empty
    bool open = false;
    bool operator==(const TrayMoved&) const = default;
};
struct SerialPortChange {
    std::string id{}; ///< of the port's device
    bool open = false;
    bool operator==(const SerialPortChange&) const = default;
};
struct BalloonChange {
    std::uint64_t actual = 0; ///< bytes
    bool operator==(const BalloonChange&) const = default;
};
struct GuestPanicked {
    std::string action{};    ///< "pause", "poweroff", "run"
    std::string info_type{}; ///< "hyper-v", "s390"; empty: none
    bool operator==(const GuestPanicked&) const = default;
};
struct GuestCrashLoaded {
    bool operator==(const GuestCrashLoaded&) const = default;
};
struct RxFilterChanged {
    std::string name{}, path{};
    bool operator==(const RxFilterChanged&) const = default;
};
struct WriteThreshold {
    std::string node_name{};
    std::uint64_t exceeded_by = 0, threshold = 0; ///< bytes
    bool operator==(const WriteThreshold&) const = default;
};
struct MemoryDeviceSize {
    std::string id{}, path{};
    std::uint64_t size = 0; ///< bytes
    bool operator==(const MemoryDeviceSize&) const = default;
};
struct MemoryFailure {
    std::string recipient{}, action{}; ///< "hypervisor" or "guest"; "ignore", "inject", "fatal", "reset"
    bool action_required = false, recursive = false;
    bool operator==(const MemoryFailure&) const = default;
};
struct MigrationStatus {
    std::string status{};
    bool operator==(const MigrationStatus&) const = default;
};
struct MigrationPass {
    std::int64_t pass = 0;
    bool operator==(const MigrationPass&) const = default;
};
struct DumpCompleted {
    std::string status{}; ///< "completed", "failed"
    std::uint64_t completed = 0, total = 0;
    std::string error{};
    bool operator==(const DumpCompleted&) const = default;
};
struct AcpiDeviceOst {
    std::string device{}, slot{}, slot_type{};
    std::int64_t source = 0, status = 0;
    bool operator==(const AcpiDeviceOst&) const = default;
};
struct PrManagerStatus {
    std::string id{};
    bool connected = false;
    bool operator==(const PrManagerStatus&) const = default;
};
/// One end of a graphics connection.
struct Peer {
    std::string family{}; ///< "ipv4", "ipv6", "unix"
    std::string host{}, service{};
    bool operator==(const Peer&) const = default;
};
struct GraphicsEvent {
    enum class Phase { connected, initialized, disconnected };
    bool spice = false;
    Phase phase = Phase::connected;
    Peer server{}, client{};
    std::string auth{}; ///< of the server
    std::optional<std::string> x509_dname{}, sasl_username{};
    bool operator==(const GraphicsEvent&) const = default;
};
struct SpiceMigrated {
    bool operator==(const SpiceMigrated&) const = default;
};

using Event =
    std::variant<Shutdown, Reset, Stop, Resume, Powerdown, Suspend, SuspendDisk, Wakeup, RtcChange, Watchdog,
                 BlockIoError, JobStatusChange, BlockJobEvent, DeviceDeleted, DeviceUnplugFailed, TrayMoved,
                 SerialPortChange, BalloonChange, GuestPanicked, GuestCrashLoaded, RxFilterChanged,
                 WriteThreshold, MemoryDeviceSize, MemoryFailure, MigrationStatus, MigrationPass,
                 DumpCompleted, AcpiDeviceOst, PrManagerStatus, GraphicsEvent, SpiceMigrated>;

/// nullopt: an event that the driver does not act on, or one whose data does not have the documented shape.
std::optional<Event> event_of(std::string_view name, const boost::json::object& data);

} // namespace cloister::qmp
