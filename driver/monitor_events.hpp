/// From QEMU's events to what they mean for a domain: its state, its live definition, events for clients.
#pragma once

#include "driver/qmp/client.hpp"

#include <functional>
#include <memory>

namespace cloister {

class Driver;
struct Domain;
struct Guest;

/// The hooks of this run's monitor; they do nothing once the run is over.
MonitorHooks monitor_hooks(Driver& driver, const std::shared_ptr<Guest>& guest);

/// Replaces the live definition by a changed copy. `change` gets the copy; nothing happens when none runs.
void edit_live(Driver& driver, const std::shared_ptr<Guest>& guest,
               const std::function<void(Domain&)>& change);

} // namespace cloister
