/// What happens to domains, as values, and who wants to know. One type per event id of the wire (0 … 27),
/// plus QEMU's own monitor events. Source: facts/protocol.md 6.
#pragma once

#include "conf/base/uuid.hpp"
#include "driver/state.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cloister {

/// How a domain is named towards clients. `id` is the one after the change; -1: not running.
struct DomainRef {
    std::string name{};
    Uuid uuid{};
    int id = -1;
    bool operator==(const DomainRef&) const = default;
};

/// One typed parameter of an event (the wire's union, in the same order of types: int, uint, llong, ullong,
/// double, boolean, string).
using ParamValue =
    std::variant<std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, double, bool, std::string>;
using Params = std::vector<std::pair<std::string, ParamValue>>;

/// The members stand in the order of the wire's structs. `number` is the event id (virDomainEventID).
namespace event {
struct Lifecycle {
    static constexpr int number = 0;
    DomainRef domain{};
    LifeNote note{};
    bool operator==(const Lifecycle&) const = default;
};
struct Reboot {
    static constexpr int number = 1;
    DomainRef domain{};
    bool operator==(const Reboot&) const = default;
};
struct RtcChange {
    static constexpr int number = 2;
    DomainRef domain{};
    std::int64_t offset = 0; ///< seconds
    bool operator==(const RtcChange&) const = default;
};
struct Watchdog {
    static constexpr int number = 3;
    DomainRef domain{};
    int action = 0; ///< 0 none 1 pause 2 reset 3 poweroff 4 shutdown 5 debug 6 injectnmi
    bool operator==(const Watchdog&) const = default;
};
struct IoError {
    static constexpr int number = 4;
    DomainRef domain{};
    std::string source{}, alias{};
    int action = 0; ///< 0 none 1 pause 2 report
    bool operator==(const IoError&) const = default;
};
/// One end of a graphics connection.
struct GraphicsPeer {
    int family = 0; ///< 0 ipv4 1 ipv6 2 unix
    std::string node{}, service{};
    bool operator==(const GraphicsPeer&) const = default;
};
struct Graphics {
    static constexpr int number = 5;
    DomainRef domain{};
    int phase = 0; ///< 0 connect 1 initialize 2 disconnect
    GraphicsPeer local{}, remote{};
    std::string auth{};
    std::vector<std::pair<std::string, std::string>> subject{}; ///< (type, name)
    bool operator==(const Graphics&) const = default;
};
struct IoErrorReason {
    static constexpr int number = 6;
    DomainRef domain{};
    std::string source{}, alias{};
    int action = 0;
    std::string reason{}; ///< "enospc" or empty
    bool operator==(const IoErrorReason&) const = default;
};
struct ControlError {
    static constexpr int number = 7;
    DomainRef domain{};
    bool operator==(const ControlError&) const = default;
};
struct BlockJob {
    static constexpr int number = 8;
    DomainRef domain{};
    std::string path{};
    int type = 0, status = 0;
    bool operator==(const BlockJob&) const = default;
};
struct DiskChange {
    static constexpr int number = 9;
    DomainRef domain{};
    std::optional<std::string> old_source{}, new_source{};
    std::string alias{};
    int reason = 0;
    bool operator==(const DiskChange&) const = default;
};
struct TrayChange {
    static constexpr int number = 10;
    DomainRef domain{};
    std::string alias{};
    int reason = 0; ///< 0 opened 1 closed
    bool operator==(const TrayChange&) const = default;
};
struct PmWakeup {
    static constexpr int number = 11;
    DomainRef domain{};
    bool operator==(const PmWakeup&) const = default;
};
struct PmSuspend {
    static constexpr int number = 12;
    DomainRef domain{};
    bool operator==(const PmSuspend&) const = default;
};
struct BalloonChange {
    static constexpr int number = 13;
    DomainRef domain{};
    std::uint64_t actual_kib = 0;
    bool operator==(const BalloonChange&) const = default;
};
struct PmSuspendDisk {
    static constexpr int number = 14;
    DomainRef domain{};
    bool operator==(const PmSuspendDisk&) const = default;
};
struct DeviceRemoved {
    static constexpr int number = 15;
    DomainRef domain{};
    std::string alias{};
    bool operator==(const DeviceRemoved&) const = default;
};
struct BlockJob2 {
    static constexpr int number = 16;
    DomainRef domain{};
    std::string target{};
    int type = 0, status = 0;
    bool operator==(const BlockJob2&) const = default;
};
struct Tunable {
    static constexpr int number = 17;
    DomainRef domain{};
    Params params{};
    bool operator==(const Tunable&) const = default;
};
struct AgentLifecycle {
    static constexpr int number = 18;
    DomainRef domain{};
    int state = 0;  ///< 1 connected 2 disconnected
    int reason = 0; ///< 0 unknown 1 domain started 2 channel
    bool operator==(const AgentLifecycle&) const = default;
};
struct DeviceAdded {
    static constexpr int number = 19;
    DomainRef domain{};
    std::string alias{};
    bool operator==(const DeviceAdded&) const = default;
};
struct MigrationIteration {
    static constexpr int number = 20;
    DomainRef domain{};
    int iteration = 0;
    bool operator==(const MigrationIteration&) const = default;
};
struct JobCompleted {
    static constexpr int number = 21;
    DomainRef domain{};
    Params params{};
    bool operator==(const JobCompleted&) const = default;
};
struct DeviceRemovalFailed {
    static constexpr int number = 22;
    DomainRef domain{};
    std::string alias{};
    bool operator==(const DeviceRemovalFailed&) const = default;
};
struct MetadataChange {
    static constexpr int number = 23;
    DomainRef domain{};
    int type = 0; ///< 0 description 1 title 2 element
    std::optional<std::string> uri{};
    bool operator==(const MetadataChange&) const = default;
};
struct BlockThreshold {
    static constexpr int number = 24;
    DomainRef domain{};
    std::string device{};
    std::optional<std::string> path{};
    std::uint64_t threshold = 0, excess = 0; ///< bytes
    bool operator==(const BlockThreshold&) const = default;
};
struct MemoryFailure {
    static constexpr int number = 25;
    DomainRef domain{};
    int recipient = 0, action = 0;
    std::uint32_t flags = 0;
    bool operator==(const MemoryFailure&) const = default;
};
struct MemoryDeviceSizeChange {
    static constexpr int number = 26;
    DomainRef domain{};
    std::string alias{};
    std::uint64_t size_kib = 0;
    bool operator==(const MemoryDeviceSizeChange&) const = default;
};
struct NicMacChange {
    static constexpr int number = 27;
    DomainRef domain{};
    std::string alias{}, old_mac{}, new_mac{};
    bool operator==(const NicMacChange&) const = default;
};
/// Every event of a monitor, as QEMU said it: the qemu program's procedure 6.
struct MonitorEvent {
    static constexpr int number = -1;
    DomainRef domain{};
    std::string name{};
    std::int64_t seconds = 0;
    std::uint32_t micros = 0;
    std::optional<std::string> details{}; ///< JSON text of "data"
    bool operator==(const MonitorEvent&) const = default;
};
/// The confinement refused a guest's QEMU something, and QEMU ended over it. Only on the message bus: the
/// wire has no such event.
struct Denied {
    static constexpr int number = -2;
    DomainRef domain{};
    std::string layer{}; ///< "cgroup", "seccomp" …; "none": no layer of ours is known to have refused it
    std::string what{};  ///< the path or the system call; empty: not known
    std::string why{};   ///< a sentence
    bool operator==(const Denied&) const = default;
};
} // namespace event

using Event =
    std::variant<event::Lifecycle, event::Reboot, event::RtcChange, event::Watchdog, event::IoError,
                 event::Graphics, event::IoErrorReason, event::ControlError, event::BlockJob,
                 event::DiskChange, event::TrayChange, event::PmWakeup, event::PmSuspend,
                 event::BalloonChange, event::PmSuspendDisk, event::DeviceRemoved, event::BlockJob2,
                 event::Tunable, event::AgentLifecycle, event::DeviceAdded, event::MigrationIteration,
                 event::JobCompleted, event::DeviceRemovalFailed, event::MetadataChange,
                 event::BlockThreshold, event::MemoryFailure, event::MemoryDeviceSizeChange,
                 event::NicMacChange, event::MonitorEvent, event::Denied>;

/// virDomainEventID of the event; -1 for a monitor event, -2 for a denial.
int number_of(const Event& what);
const DomainRef& domain_of(const Event& what);

/// Which events a subscriber gets.
struct EventFilter {
    int number = 0;                             ///< virDomainEventID; -1: monitor events; -2: denials
    std::optional<Uuid> domain{};               ///< absent: every domain
    std::optional<std::string> monitor_event{}; ///< of monitor events: only this name; absent: all
    bool is_regex = false, ignore_case = false; ///< how `monitor_event` is meant
    bool operator==(const EventFilter&) const = default;
};

/// Hands every event to those who asked, at once and in the order in which things happened. Lives on the
/// reactor thread. A callback may subscribe and unsubscribe, but must not block.
class EventHub {
    struct Listeners;

public:
    using Callback = std::function<void(const Event&)>;
    /// Owns one subscription; ends it when destroyed. May outlive the hub.
    class Token {
    public:
        Token() = default;
        Token(Token&& other) noexcept : hub_(std::move(other.hub_)), key_(std::exchange(other.key_, 0)) {}
        Token& operator=(Token&& other) noexcept {
            std::swap(hub_, other.hub_);
            std::swap(key_, other.key_);
            return *this;
        }
        ~Token();
        /// A number that no other subscription of this hub ever gets.
        std::uint64_t key() const { return key_; }

    private:
        friend class EventHub;
        Token(std::weak_ptr<Listeners> hub, std::uint64_t key) : hub_(std::move(hub)), key_(key) {}
        std::weak_ptr<Listeners> hub_{};
        std::uint64_t key_ = 0;
    };

    EventHub();
    [[nodiscard]] Token subscribe(EventFilter filter, Callback callback);
    void emit(const Event& what);

private:
    std::shared_ptr<Listeners> listeners_;
};

} // namespace cloister
