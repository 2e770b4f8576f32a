#include "driver/qmp/events.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

namespace cloister::qmp {

namespace json = boost::json;

namespace {

/// Reads an event's data; what a member lacks reads as empty, and a wrong type makes the whole unreadable.
class Data {
public:
    explicit Data(const json::object& data) : data_(data) {}

    std::optional<std::string> maybe_text(std::string_view key) {
        const auto* found = data_.if_contains(key);
        if (!found) return std::nullopt;
        if (!found->is_string()) return broken<std::string>();
        return std::string(found->get_string());
    }
    std::string text(std::string_view key) { return maybe_text(key).value_or(std::string()); }
    std::optional<bool> maybe_flag(std::string_view key) {
        const auto* found = data_.if_contains(key);
        if (!found) return std::nullopt;
        if (!found->is_bool()) return broken<bool>();
        return found->get_bool();
    }
    bool flag(std::string_view key) { return maybe_flag(key).value_or(false); }
    std::int64_t number(std::string_view key) {
        const auto* found = data_.if_contains(key);
        if (!found) return 0;
        if (found->is_int64()) return found->get_int64();
        if (found->is_uint64()) return static_cast<std::int64_t>(found->get_uint64());
        broken<int>();
        return 0;
    }
    std::uint64_t bytes(std::string_view key) { return static_cast<std::uint64_t>(number(key)); }
    Data inner(std::string_view key) {
        static const json::object nothing;
        const auto* found = data_.if_contains(key);
        if (found && !found->is_object()) broken<int>();
        return Data(found && found->is_object() ? found->get_object() : nothing);
    }
    bool fits() const { return fits_; }

private:
    template <class T> std::optional<T> broken() {
        fits_ = false;
        return std::nullopt;
    }
    const json::object& data_;
    bool fits_ = true;
};

constexpr std::array<std::string_view, 7> watchdog_actions{"none",     "pause", "reset",     "poweroff",
                                                           "shutdown", "debug", "inject-nmi"};
constexpr std::array<std::string_view, 3> io_actions{"ignore", "report", "stop"};

/// The place of `word` in `words`; the first for a word that is not there.
template <class E, std::size_t N>
E word_of(const std::array<std::string_view, N>& words, std::string_view word) {
    const auto found = std::ranges::find(words, word);
    return found == words.end() ? E{} : static_cast<E>(found - words.begin());
}

template <class E> Event plain(Data&) { return E{}; }

Event io_error(Data& d) {
    return BlockIoError{.device = d.text("device"),
                        .node_name = d.text("node-name"),
                        .action = word_of<IoErrorAction>(io_actions, d.text("action")),
                        .write = d.text("operation") == "write",
                        .no_space = d.flag("nospace"),
                        .reason = d.text("reason")};
}

template <BlockJobEvent::What what> Event block_job(Data& d) {
    return BlockJobEvent{.what = what,
                         .device = d.text("device"),
                         .type = d.text("type"),
                         .length = d.number("len"),
                         .offset = d.number("offset"),
                         .error = d.text("error")};
}

Event memory_failure(Data& d) {
    auto flags = d.inner("flags");
    return MemoryFailure{.recipient = d.text("recipient"),
                         .action = d.text("action"),
                         .action_required = flags.flag("action-required"),
                         .recursive = flags.flag("recursive")};
}

Event dump_completed(Data& d) {
    auto result = d.inner("result");
    return DumpCompleted{.status = result.text("status"),
                         .completed = result.bytes("completed"),
                         .total = result.bytes("total"),
                         .error = d.text("error")};
}

Event acpi_ost(Data& d) {
    auto info = d.inner("info");
    return AcpiDeviceOst{.device = info.text("device"),
                         .slot = info.text("slot"),
                         .slot_type = info.text("slot-type"),
                         .source = info.number("source"),
                         .status = info.number("status")};
}

/// SPICE says "host" and "port" where VNC says "host" and "service"; both are texts.
Peer peer(Data d, bool spice) {
    return {d.text("family"), d.text("host"), d.text(spice ? "port" : "service")};
}

template <bool spice, GraphicsEvent::Phase phase> Event graphics(Data& d) {
    auto client = d.inner("client");
    return GraphicsEvent{.spice = spice,
                         .phase = phase,
                         .server = peer(d.inner("server"), spice),
                         .client = peer(d.inner("client"), spice),
                         .auth = d.inner("server").text("auth"),
                         .x509_dname = client.maybe_text("x509_dname"),
                         .sasl_username = client.maybe_text("sasl_username")};
}

struct Known {
    std::string_view name;
    Event (*read)(Data&);
};
using Phase = GraphicsEvent::Phase;

constexpr std::array known{
    Known{"ACPI_DEVICE_OST", acpi_ost},
    Known{"BALLOON_CHANGE", [](Data& d) -> Event { return BalloonChange{d.bytes("actual")}; }},
    Known{"BLOCK_IO_ERROR", io_error},
    Known{"BLOCK_JOB_CANCELLED", block_job<BlockJobEvent::What::cancelled>},
    Known{"BLOCK_JOB_COMPLETED", block_job<BlockJobEvent::What::completed>},
    Known{"BLOCK_JOB_READY", block_job<BlockJobEvent::What::ready>},
    Known{"BLOCK_WRITE_THRESHOLD",
          [](Data& d) -> Event {
              return WriteThreshold{d.text("node-name"), d.bytes("amount-exceeded"),
                                    d.bytes("write-threshold")};
          }},
    Known{"DEVICE_DELETED",
          [](Data& d) -> Event { return DeviceDeleted{d.maybe_text("device"), d.text("path")}; }},
    Known{"DEVICE_TRAY_MOVED",
          [](Data& d) -> Event { return TrayMoved{d.text("device"), d.text("id"), d.flag("tray-open")}; }},
    Known{"DEVICE_UNPLUG_GUEST_ERROR",
          [](Data& d) -> Event { return DeviceUnplugFailed{d.maybe_text("device"), d.text("path")}; }},
    Known{"DUMP_COMPLETED", dump_completed},
    Known{"GUEST_CRASHLOADED", plain<GuestCrashLoaded>},
    Known{"GUEST_PANICKED",
          [](Data& d) -> Event { return GuestPanicked{d.text("action"), d.inner("info").text("type")}; }},
    Known{"JOB_STATUS_CHANGE",
          [](Data& d) -> Event { return JobStatusChange{d.text("id"), d.text("status")}; }},
    Known{
        "MEMORY_DEVICE_SIZE_CHANGE",
        [](Data& d) -> Event { return MemoryDeviceSize{d.text("id"), d.text("qom-path"), d.bytes("size")}; }},
    Known{"MEMORY_FAILURE", memory_failure},
    Known{"MIGRATION", [](Data& d) -> Event { return MigrationStatus{d.text("status")}; }},
    Known{"MIGRATION_PASS", [](Data& d) -> Event { return MigrationPass{d.number("pass")}; }},
    Known{"NIC_RX_FILTER_CHANGED",
          [](Data& d) -> Event { return RxFilterChanged{d.text("name"), d.text("path")}; }},
    Known{"POWERDOWN", plain<Powerdown>},
    Known{"PR_MANAGER_STATUS_CHANGED",
          [](Data& d) -> Event { return PrManagerStatus{d.text("id"), d.flag("connected")}; }},
    Known{"RESET", [](Data& d) -> Event { return Reset{d.flag("guest"), d.text("reason")}; }},
    Known{"RESUME", plain<Resume>},
    Known{"RTC_CHANGE", [](Data& d) -> Event { return RtcChange{d.number("offset")}; }},
    Known{"SHUTDOWN", [](Data& d) -> Event { return Shutdown{d.maybe_flag("guest"), d.text("reason")}; }},
    Known{"SPICE_CONNECTED", graphics<true, Phase::connected>},
    Known{"SPICE_DISCONNECTED", graphics<true, Phase::disconnected>},
    Known{"SPICE_INITIALIZED", graphics<true, Phase::initialized>},
    Known{"SPICE_MIGRATE_COMPLETED", plain<SpiceMigrated>},
    Known{"STOP", plain<Stop>},
    Known{"SUSPEND", plain<Suspend>},
    Known{"SUSPEND_DISK", plain<SuspendDisk>},
    Known{"VNC_CONNECTED", graphics<false, Phase::connected>},
    Known{"VNC_DISCONNECTED", graphics<false, Phase::disconnected>},
    Known{"VNC_INITIALIZED", graphics<false, Phase::initialized>},
    Known{"VSERPORT_CHANGE", [](Data& d) -> Event { return SerialPortChange{d.text("id"), d.flag("open")}; }},
    Known{"WAKEUP", plain<Wakeup>},
    Known{"WATCHDOG",
          [](Data& d) -> Event {
              return Watchdog{word_of<WatchdogAction>(watchdog_actions, d.text("action"))};
          }},
};
static_assert(std::ranges::is_sorted(known, {}, &Known::name));

} // namespace

std::optional<Event> event_of(std::string_view name, const json::object& data) {
    const auto found = std::ranges::lower_bound(known, name, {}, &Known::name);
    if (found == known.end() || found->name != name) return std::nullopt;
    Data reading(data);
    auto event = found->read(reading);
    return reading.fits() ? std::optional(std::move(event)) : std::nullopt;
}

} // namespace cloister::qmp
