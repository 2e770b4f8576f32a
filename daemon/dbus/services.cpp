#include "daemon/dbus/services.hpp"

#include "daemon/dbus/signals.hpp"

namespace cloister::dbus {

Services::Services(std::shared_ptr<Bus> bus, Driver& driver, const rpc::Table& table,
                   std::function<void()> used)
    : front_{.bus = bus, .driver = &driver, .table = &table, .used = std::move(used)}, objects_(front_),
      names_(bus, wanted_names(driver.daemon())) {}

void Services::serve() {
    telling_ = publish(front_.driver->events(), front_.bus);
    names_.ready();
}

void Services::leave() { names_.release(); }

} // namespace cloister::dbus
