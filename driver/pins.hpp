/// Pinning the threads of a QEMU that waits, as <vcpu cpuset> and <cputune> ask.
#pragma once

#include "driver/op/call.hpp"

#include <memory>

namespace cloister {

struct Guest;

/// After its virtual CPUs are known and before it runs. Errors: system, for a CPU that the host has not;
/// operation_invalid for an I/O thread that QEMU has not.
Task<Result<>> pin_threads(Driver* driver, std::shared_ptr<Guest> guest);

} // namespace cloister
