/// Everything that this daemon serves on the message bus. Reactor thread only.
#pragma once

#include "daemon/dbus/names.hpp"
#include "daemon/dbus/objects.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace cloister::dbus {

class Services {
public:
    /// `driver` outlives this, this outlives the bus's connection. `used` is told of every call.
    Services(std::shared_ptr<Bus> bus, Driver& driver, const rpc::Table& table, std::function<void()> used);
    /// The driver has started: takes the names that the configuration wants.
    void serve();
    /// The daemon is about to end: gives the names up. Calls in progress are still answered.
    void leave();

private:
    Front front_;
    Objects objects_;
    Names names_;
    std::vector<EventHub::Token> telling_{};
};

} // namespace cloister::dbus
