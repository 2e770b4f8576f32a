/// How guests end, and everything else that happens to them: QEMU's events, our own calls, the death of a
/// process.
#pragma once

#include "conf/base/result.hpp"
#include "driver/op/call.hpp"
#include "driver/state.hpp"
#include "driver/store/journal.hpp"
#include "driver/store/status.hpp"

#include <memory>

namespace cloister {

class Driver;
struct Guest;

enum class Graceful { no, yes };

/// Ends a running guest and gives everything back. Does not queue: who waits for the guest's turn is refused
/// at once. SIGTERM first, so that QEMU flushes; SIGKILL at once when it cannot listen, else after 10 s;
/// graceful: never. Completes when the guest is off and its events are out. Errors: operation_invalid "domain
/// is not running"; system when graceful and QEMU did not end within 15 s.
Task<Result<>> destroy(Driver& driver, std::shared_ptr<Guest> guest, Graceful graceful);

/// Applies step() to the guest: state, events, status file, and what else it asks for.
void happened(Driver& driver, const std::shared_ptr<Guest>& guest, Happened what);

/// Waits for the process's end, then does what step() says of it. Started once per running guest.
Task<void> watch(Driver& driver, std::shared_ptr<Guest> guest);

/// Writes the status file soon; several requests become one write.
void save_status(Driver& driver, const std::shared_ptr<Guest>& guest);

/// The same, and waits until it is on disk: what a client was told has to outlive this daemon. On a disk that
/// takes longer than ten seconds the answer goes out without it.
Task<void> status_saved(Driver* driver, std::shared_ptr<Guest> guest);

/// Gives everything back that the guest had: host, ports, files. The guest is inactive and `off` afterwards.
Task<void> release_guest(Driver& driver, std::shared_ptr<Guest> guest, Status off);

/// What is written about a running guest.
store::StatusFile status_file(const Guest& guest);
store::JournalFile journal_of(const Guest& guest, const std::string& boot);

/// Emits one lifecycle event of this guest.
void emit_life(Driver& driver, const Guest& guest, LifeNote note);

} // namespace cloister
