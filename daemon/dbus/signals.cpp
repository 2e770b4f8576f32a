#include "daemon/dbus/signals.hpp"

#include "conf/base/overload.hpp"
#include "daemon/dbus/codec.hpp"
#include "driver/log.hpp"

#include <algorithm>

namespace cloister::dbus {
namespace {

using namespace event;

constexpr const char *connect = "org.libvirt.Connect", *domain = "org.libvirt.Domain";

/// A signal's name and what it carries: the arguments are a tuple.
template <class... A> struct Told {
    const char *interface = domain, *member = "";
    std::tuple<A...> arguments{};
};
template <class... A> Told<A...> told(const char* member, A... arguments) {
    return {.member = member, .arguments = {std::move(arguments)...}};
}
struct Untold {};

std::string path_of(const DomainRef& who) { return domain_path(who.uuid); }
std::tuple<std::int32_t, std::string, std::string> peer(const GraphicsPeer& one) {
    return {one.family, one.node, one.service};
}

Told<ObjectPath, std::int32_t, std::int32_t> form(const Lifecycle& e) {
    return {connect,
            "DomainEvent",
            {ObjectPath{path_of(e.domain)}, static_cast<std::int32_t>(e.note.what), e.note.detail}};
}
auto form(const Reboot&) { return told("Reboot"); }
auto form(const RtcChange& e) { return told("RTCChange", e.offset); }
auto form(const Watchdog& e) { return told("Watchdog", std::int32_t{e.action}); }
auto form(const Graphics& e) {
    std::vector<std::tuple<std::string, std::string>> identities(e.subject.begin(), e.subject.end());
    return told("Graphics", std::int32_t{e.phase}, peer(e.local), peer(e.remote), e.auth,
                std::move(identities));
}
auto form(const IoErrorReason& e) {
    return told("IOError", e.source, e.alias, std::int32_t{e.action}, e.reason);
}
auto form(const ControlError&) { return told("ControlError"); }
auto form(const DiskChange& e) {
    return told("DiskChange", e.old_source.value_or(""), e.new_source.value_or(""), e.alias,
                std::int32_t{e.reason});
}
auto form(const TrayChange& e) { return told("TrayChange", e.alias, std::int32_t{e.reason}); }
auto form(const PmWakeup&) { return told("PMWakeup", std::int32_t{0}); }
auto form(const PmSuspend&) { return told("PMSuspend", std::int32_t{0}); }
auto form(const PmSuspendDisk&) { return told("PMSuspendDisk", std::int32_t{0}); }
auto form(const BalloonChange& e) { return told("BalloonChange", e.actual_kib); }
auto form(const DeviceRemoved& e) { return told("DeviceRemoved", e.alias); }
auto form(const BlockJob2& e) {
    return told("BlockJob", e.target, std::int32_t{e.type}, std::int32_t{e.status});
}
auto form(const Tunable& e) { return told("Tunable", NamedValues(e.params)); }
auto form(const AgentLifecycle& e) {
    return told("AgentEvent", std::int32_t{e.state}, std::int32_t{e.reason});
}
auto form(const DeviceAdded& e) { return told("DeviceAdded", e.alias); }
auto form(const MigrationIteration& e) { return told("MigrationIteration", std::int32_t{e.iteration}); }
auto form(const JobCompleted& e) { return told("JobCompleted", NamedValues(e.params)); }
auto form(const DeviceRemovalFailed& e) { return told("DeviceRemovalFailed", e.alias); }
auto form(const MetadataChange& e) {
    return told("MetadataChange", std::int32_t{e.type}, e.uri.value_or(""));
}
Told<std::string, std::string, std::string, std::string, std::string> form(const Denied& e) {
    return {"org.cloister1", "Denied", {e.domain.name, printed(e.domain.uuid), e.layer, e.what, e.why}};
}
/// Without a signal in libvirt-dbus's interfaces, or told by a newer kind of event.
Untold form(const IoError&) { return {}; }
Untold form(const BlockJob&) { return {}; }
Untold form(const BlockThreshold&) { return {}; }
Untold form(const MemoryFailure&) { return {}; }
Untold form(const MemoryDeviceSizeChange&) { return {}; }
Untold form(const NicMacChange&) { return {}; }
Untold form(const MonitorEvent&) { return {}; }

template <class... A> SignalName name_of(const Told<A...>& what, const DomainRef& who) {
    const std::string_view interface = what.interface;
    const auto path = interface == domain    ? path_of(who)
                      : interface == connect ? std::string(connect_path)
                                             : std::string(cloister_path);
    return {path, what.interface, what.member, Codec<std::tuple<A...>>::members()};
}

template <class... A> Result<> emit(Bus& bus, const Told<A...>& what, const DomainRef& who) {
    const auto name = name_of(what, who);
    const auto signal = TRY(bus.signal(name.path, name.interface, name.member));
    Writer to(signal);
    std::apply([&](const auto&... one) { (write(to, one), ...); }, what.arguments);
    TRY(to.done());
    return bus.send(signal);
}
Result<> emit(Bus&, Untold, const DomainRef&) { return {}; }

} // namespace

std::optional<SignalName> signal_of(const Event& what) {
    return std::visit(
        [&](const auto& e) -> std::optional<SignalName> {
            const auto form_of_it = form(e);
            if constexpr (std::is_same_v<std::remove_const_t<decltype(form_of_it)>, Untold>)
                return std::nullopt;
            else
                return name_of(form_of_it, e.domain);
        },
        what);
}

std::vector<EventHub::Token> publish(EventHub& events, std::shared_ptr<Bus> bus) {
    std::vector<EventHub::Token> out;
    const auto tell = [bus](const Event& what) {
        if (!bus->up()) return;
        const auto done = std::visit([&](const auto& e) { return emit(*bus, form(e), e.domain); }, what);
        if (!done) log(LogLevel::info, "a signal was lost: " + full_text(done.error()));
    };
    constexpr int last = 27;
    for (int number = Denied::number; number <= last; ++number)
        if (number != MonitorEvent::number) out.push_back(events.subscribe({.number = number}, tell));
    return out;
}

} // namespace cloister::dbus
