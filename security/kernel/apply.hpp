/// The one place that changes the host: applies an Op, whatever it is.
#pragma once

#include "conf/base/result.hpp"
#include "security/kernel/fd.hpp"
#include "security/op.hpp"

#include <map>
#include <string>

namespace cloister {

class OwnerBook;

/// The descriptors that Ops left open, by symbol.
using Opened = std::map<std::string, Fd>;

/// Errors: system with the layer that refused; resource_busy when the host changed between look and apply;
/// operation_invalid for a file that another guest holds otherwise.
/// Blocking: for worker threads. Removals of what is already gone succeed.
Result<> apply(const Op& op, Opened& opened, OwnerBook& owners);
/// For Ops that open nothing and hold nothing.
Result<> apply(const Op& op);

} // namespace cloister
