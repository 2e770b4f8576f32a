/// Reading the stored definitions again while the daemon runs.
#pragma once

#include "driver/driver.hpp"

namespace cloister {

/// Definitions that have appeared in the folder are added, those that were edited replace the stored one (a
/// running guest is not touched), those that have gone stay. Bad files are logged and left out. Errors:
/// operation_invalid when the daemon is ending.
boost::asio::awaitable<Result<>> reload_definitions(Driver& driver);

} // namespace cloister
