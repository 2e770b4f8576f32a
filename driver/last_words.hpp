/// Why a QEMU ended: its own last words, its status, and the layer of the confinement that refused it
/// something. The sentences go to whoever waits for the start, into the domain's messages and into its log.
#pragma once

#include "conf/base/result.hpp"
#include "driver/op/call.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace cloister {

class Driver;
struct Guest;

/// The error of a start whose QEMU ended before it could be spoken to; `error` as it is when it still runs.
Task<Error> died_early(Driver* driver, std::shared_ptr<Guest> guest, Error error);

/// The same for a guest that ran: nobody waits for it, so it is only noted. Before anything is taken back.
Task<void> note_death(Driver* driver, std::shared_ptr<Guest> guest);

/// QEMU's own lines of a log: without the daemon's, and without notes that are no complaint. Escaped. Pure.
std::string qemu_lines(std::string_view log);

} // namespace cloister
