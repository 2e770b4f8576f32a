/// USB ports: which are there, which are taken. Pure. Source: facts/behaviour.md D.4.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"

namespace cloister {

/// A port for every USB device, with hubs when the ports of the controllers do not suffice.
/// Errors: xml for a port taken twice or not there; internal when there is no USB bus.
Result<> assign_usb_addresses(Domain& domain);

/// A port for one device that is added to a running guest; no hub is added.
Result<> assign_usb_address(Device& device, const Domain& domain);

bool is_usb(const Device& device);

} // namespace cloister
