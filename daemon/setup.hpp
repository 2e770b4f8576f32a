/// The settings of a daemon: from its files and its command line to what the driver is made of.
#pragma once

#include "daemon/options.hpp"
#include "driver/driver.hpp"

#include <string>
#include <vector>

namespace cloister {

/// Reads both files. A missing file is an error only when it was named. `warnings` gets a sentence each.
/// Errors: system, conf_syntax; config_unsupported for what this version cannot do (polkit).
Result<DriverSetup> read_setup(const Options& options, std::vector<std::string>& warnings);

/// Every folder below `root`; the system's when it is empty.
Folders folders_below(const std::string& root);

} // namespace cloister
