/// The access policy's questions, answered by polkit.
#pragma once

#include "daemon/acl/policy.hpp"
#include "daemon/dbus/bus.hpp"

#include <memory>

namespace cloister::acl {

/// Asks over this bus. Errors of the answers: auth_unavailable when there is no polkit, and as
/// polkit::check_authorization().
Authority by_polkit(std::shared_ptr<dbus::Bus> bus);
/// The same about whoever has that unique name on the bus, which outlasts its process no more than a pid with
/// a start time does.
Authority by_polkit(std::shared_ptr<dbus::Bus> bus, std::string sender);

} // namespace cloister::acl
