/// The settings of a daemon: from its files and its command line to what the driver is made of.
#pragma once

#include "daemon/options.hpp"
#include "driver/driver.hpp"

#include <string>
#include <vector>

namespace cloister {

/// The settings, and all that is wrong with them.
struct CheckedSetup {
    DriverSetup setup{};
    std::vector<std::string> warnings{};
    std::vector<Error> errors{};
};
/// Reads both files and asks the host what of them can be had here. A missing file is an error only when it
/// was named. Blocking.
CheckedSetup checked_setup(const Options& options);

/// Likewise, with the first error. `warnings` gets a sentence each.
/// Errors: system, conf_syntax; config_unsupported for what this version or this host cannot do.
Result<DriverSetup> read_setup(const Options& options, std::vector<std::string>& warnings);

/// Every folder below `root`; the system's when it is empty.
Folders folders_below(const std::string& root);

} // namespace cloister
