/// systemd-machined: the host's list of machines (machinectl), and a scope for each guest's groups.
/// Source: org.freedesktop.machine1(5).
#pragma once

#include "daemon/dbus/bus.hpp"
#include "driver/machines.hpp"

#include <boost/asio/steady_timer.hpp>

namespace cloister::dbus {

class Machined : public Machines {
public:
    /// `bus` outlives every call.
    explicit Machined(std::shared_ptr<Bus> bus);
    Task<bool> here() override;
    Task<Result<>> make(Machine machine) override;

private:
    Task<void> wait_for_bus();

    std::shared_ptr<Bus> bus_;
    std::optional<bool> known_{}; ///< whether the bus can start it; absent: not asked yet
    boost::asio::steady_timer up_;
    Bus::Token resident_;
};

} // namespace cloister::dbus
