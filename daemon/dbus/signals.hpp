/// What happens to domains, as signals. Source: facts/protocol.md 6 for what there is, libvirt-dbus's
/// interfaces for how it is told.
#pragma once

#include "daemon/dbus/bus.hpp"
#include "driver/events.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cloister::dbus {

/// Where a signal of an event comes from, and its arguments' signature.
struct SignalName {
    std::string path{}, interface{}, member{};
    std::string types{};
};
/// Nothing: nobody is told on the bus. For tests against the interfaces.
std::optional<SignalName> signal_of(const Event& what);

/// Tells the bus of every event as long as the tokens live. Without a bus there is nobody to tell.
std::vector<EventHub::Token> publish(EventHub& events, std::shared_ptr<Bus> bus);

} // namespace cloister::dbus
