/// Events as messages: one for each subscriber, in the form it asked for. Source: facts/protocol.md 6.
#pragma once

#include "daemon/rpc/frame.hpp"
#include "driver/events.hpp"

#include <optional>

namespace cloister::rpc {

/// The highest event id of a legacy registration, and of one with a callback id.
inline constexpr int last_legacy_event = 15, last_event = 27;

/// A subscriber's message: with `callback` the form that carries it, without the legacy form.
struct EventMessage {
    std::uint32_t program = 0;
    std::int32_t procedure = 0;
    Bytes body{};
    bool operator==(const EventMessage&) const = default;
};

/// Nothing when the event has no legacy form, or does not fit the protocol's limits.
std::optional<EventMessage> event_message(const Event& what, std::optional<std::int32_t> callback);

} // namespace cloister::rpc
