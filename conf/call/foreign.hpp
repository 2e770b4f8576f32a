/// The procedures that libvirt's other daemons serve: networks, storage, host devices, interfaces, secrets,
/// filters. Clients send them to the hypervisor's connection. Source: facts/protocol.md 13.
#pragma once

#include "conf/call/procedure.hpp"

namespace cloister::call {

enum class Family { network, storage, node_device, interface, secret, nwfilter };

/// What a relay has to know of a procedure's body.
enum class Relay {
    call,        ///< nothing
    subscribe,   ///< the result is a callback id (int)
    unsubscribe, ///< the arguments begin with one
    event,       ///< a message that begins with one
};

struct Foreign {
    std::int32_t number = 0;
    std::string_view name{};
    Family family = Family::network;
    Stream stream = Stream::none;
    Relay relay = Relay::call;
};

/// Sorted by number.
std::span<const Foreign> foreign_procedures();
/// Null for a procedure of ours, or none at all.
const Foreign* find_foreign(std::int32_t number);

} // namespace cloister::call
