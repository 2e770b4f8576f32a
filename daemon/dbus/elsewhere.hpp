/// What of org.libvirt.Connect is about networks, storage and the rest that is not a hypervisor's.
#pragma once

#include "daemon/dbus/method.hpp"

namespace cloister::dbus {

/// The lists are empty; looking one up, and making one, is refused as by a connection without that driver.
std::vector<Method> elsewhere_methods();

} // namespace cloister::dbus
