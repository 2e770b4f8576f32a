/// After a restart of the daemon: taking over the guests that still run, and undoing what a dead daemon or a
/// dead guest left behind. Never ends a QEMU because taking it over failed.
#pragma once

#include "driver/op/call.hpp"

namespace cloister {

class Driver;

/// Reads status files and undo journals. Errors are logged, one guest at a time.
Task<void> reconnect_all(Driver& driver);

} // namespace cloister
