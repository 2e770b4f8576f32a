#include "daemon/rpc/events.hpp"

#include "conf/call/event.hpp"
#include "conf/call/procedure.hpp"
#include "conf/call/qemu.hpp"
#include "daemon/rpc/xdr.hpp"

namespace cloister::rpc {
namespace {

using Callback = std::optional<std::int32_t>;
using Message = std::optional<EventMessage>;

Text<> text(const std::string& value) { return {value}; }
std::optional<Text<>> text(const std::optional<std::string>& value) {
    if (!value) return std::nullopt;
    return Text<>{*value};
}
template <class E> call::DomainHandle handle(const E& e) {
    return {text(e.domain.name), e.domain.uuid.bytes, e.domain.id};
}

call::DomainEventGraphicsAddress peer(const event::GraphicsPeer& of) {
    return {of.family, text(of.node), text(of.service)};
}
List<call::DomainEventGraphicsIdentity, 20> subjects(const event::Graphics& e) {
    List<call::DomainEventGraphicsIdentity, 20> out;
    for (const auto& [type, name] : e.subject) out.items.push_back({text(type), text(name)});
    return out;
}
template <std::size_t Max> List<call::TypedParam, Max> params(const Params& of) {
    List<call::TypedParam, Max> out;
    for (const auto& [name, value] : of) out.items.push_back({text(name), value});
    return out;
}

template <class M>
Message message(std::int32_t procedure, const M& body, std::uint32_t program = call::remote_program) {
    auto bytes = xdr::encode(body);
    if (!bytes) return std::nullopt; // a name of megabytes: no client could be told
    return EventMessage{program, procedure, *std::move(bytes)};
}

/// Events that have both forms: the legacy message, or the same behind a callback id.
template <class Wrapped, class M>
Message either(const M& msg, std::int32_t legacy, std::int32_t modern, Callback callback) {
    if (!callback) return message(legacy, msg);
    if constexpr (requires { Wrapped{}.reason; })
        return message(modern, Wrapped{*callback, 0, msg}); // the reason of power events is always 0
    else
        return message(modern, Wrapped{*callback, msg});
}

Message form(const event::Lifecycle& e, Callback callback) {
    return either<call::DomainEventCallbackLifecycleMsg>(
        call::DomainEventLifecycleMsg{handle(e), static_cast<std::int32_t>(e.note.what), e.note.detail}, 107,
        318, callback);
}
Message form(const event::Reboot& e, Callback callback) {
    return either<call::DomainEventCallbackRebootMsg>(call::DomainEventRebootMsg{handle(e)}, 169, 319,
                                                      callback);
}
Message form(const event::RtcChange& e, Callback callback) {
    return either<call::DomainEventCallbackRtcChangeMsg>(call::DomainEventRtcChangeMsg{handle(e), e.offset},
                                                         170, 320, callback);
}
Message form(const event::Watchdog& e, Callback callback) {
    return either<call::DomainEventCallbackWatchdogMsg>(call::DomainEventWatchdogMsg{handle(e), e.action},
                                                        171, 321, callback);
}
Message form(const event::IoError& e, Callback callback) {
    return either<call::DomainEventCallbackIoErrorMsg>(
        call::DomainEventIoErrorMsg{handle(e), text(e.source), text(e.alias), e.action}, 172, 322, callback);
}
Message form(const event::Graphics& e, Callback callback) {
    return either<call::DomainEventCallbackGraphicsMsg>(
        call::DomainEventGraphicsMsg{handle(e), e.phase, peer(e.local), peer(e.remote), text(e.auth),
                                     subjects(e)},
        173, 323, callback);
}
Message form(const event::IoErrorReason& e, Callback callback) {
    return either<call::DomainEventCallbackIoErrorReasonMsg>(
        call::DomainEventIoErrorReasonMsg{handle(e), text(e.source), text(e.alias), e.action, text(e.reason)},
        195, 324, callback);
}
Message form(const event::ControlError& e, Callback callback) {
    return either<call::DomainEventCallbackControlErrorMsg>(call::DomainEventControlErrorMsg{handle(e)}, 224,
                                                            325, callback);
}
Message form(const event::BlockJob& e, Callback callback) {
    return either<call::DomainEventCallbackBlockJobMsg>(
        call::DomainEventBlockJobMsg{handle(e), text(e.path), e.type, e.status}, 241, 326, callback);
}
Message form(const event::DiskChange& e, Callback callback) {
    return either<call::DomainEventCallbackDiskChangeMsg>(
        call::DomainEventDiskChangeMsg{handle(e), text(e.old_source), text(e.new_source), text(e.alias),
                                       e.reason},
        248, 327, callback);
}
Message form(const event::TrayChange& e, Callback callback) {
    return either<call::DomainEventCallbackTrayChangeMsg>(
        call::DomainEventTrayChangeMsg{handle(e), text(e.alias), e.reason}, 268, 328, callback);
}
Message form(const event::PmWakeup& e, Callback callback) {
    return either<call::DomainEventCallbackPmwakeupMsg>(call::DomainEventPmwakeupMsg{handle(e)}, 269, 329,
                                                        callback);
}
Message form(const event::PmSuspend& e, Callback callback) {
    return either<call::DomainEventCallbackPmsuspendMsg>(call::DomainEventPmsuspendMsg{handle(e)}, 270, 330,
                                                         callback);
}
Message form(const event::BalloonChange& e, Callback callback) {
    return either<call::DomainEventCallbackBalloonChangeMsg>(
        call::DomainEventBalloonChangeMsg{handle(e), e.actual_kib}, 276, 331, callback);
}
Message form(const event::PmSuspendDisk& e, Callback callback) {
    return either<call::DomainEventCallbackPmsuspendDiskMsg>(call::DomainEventPmsuspendDiskMsg{handle(e)},
                                                             292, 332, callback);
}
Message form(const event::DeviceRemoved& e, Callback callback) {
    return either<call::DomainEventCallbackDeviceRemovedMsg>(
        call::DomainEventDeviceRemovedMsg{handle(e), text(e.alias)}, 311, 333, callback);
}

/// Events that came after callback ids: without one there is nobody to tell.
Message form(const event::BlockJob2& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(339,
                   call::DomainEventBlockJob2Msg{*callback, handle(e), text(e.target), e.type, e.status});
}
Message form(const event::Tunable& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(346, call::DomainEventCallbackTunableMsg{*callback, handle(e), params<2048>(e.params)});
}
Message form(const event::AgentLifecycle& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(348, call::DomainEventCallbackAgentLifecycleMsg{*callback, handle(e), e.state, e.reason});
}
Message form(const event::DeviceAdded& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(354, call::DomainEventCallbackDeviceAddedMsg{*callback, handle(e), text(e.alias)});
}
Message form(const event::MigrationIteration& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(359, call::DomainEventCallbackMigrationIterationMsg{*callback, handle(e), e.iteration});
}
Message form(const event::JobCompleted& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(363, call::DomainEventCallbackJobCompletedMsg{*callback, handle(e), params<64>(e.params)});
}
Message form(const event::DeviceRemovalFailed& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(367, call::DomainEventCallbackDeviceRemovalFailedMsg{*callback, handle(e), text(e.alias)});
}
Message form(const event::MetadataChange& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(379,
                   call::DomainEventCallbackMetadataChangeMsg{*callback, handle(e), e.type, text(e.uri)});
}
Message form(const event::BlockThreshold& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(385, call::DomainEventBlockThresholdMsg{*callback, handle(e), text(e.device), text(e.path),
                                                           e.threshold, e.excess});
}
Message form(const event::MemoryFailure& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(423,
                   call::DomainEventMemoryFailureMsg{*callback, handle(e), e.recipient, e.action, e.flags});
}
Message form(const event::MemoryDeviceSizeChange& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(
        438, call::DomainEventMemoryDeviceSizeChangeMsg{*callback, handle(e), text(e.alias), e.size_kib});
}
Message form(const event::NicMacChange& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(453, call::DomainEventNicMacChangeMsg{*callback, handle(e), text(e.alias), text(e.old_mac),
                                                         text(e.new_mac)});
}
Message form(const event::MonitorEvent& e, Callback callback) {
    if (!callback) return std::nullopt;
    return message(6,
                   call::QemuDomainMonitorEventMsg{*callback, handle(e), text(e.name), e.seconds, e.micros,
                                                   text(e.details)},
                   call::qemu_program);
}
/// Clients of the wire are told by the domain's messages.
Message form(const event::Denied&, Callback) { return std::nullopt; }

} // namespace

std::optional<EventMessage> event_message(const Event& what, std::optional<std::int32_t> callback) {
    return std::visit([&](const auto& e) { return form(e, callback); }, what);
}

} // namespace cloister::rpc
