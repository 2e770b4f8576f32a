/// Where log lines go: standard error, with time and level, or with the journal's priorities.
#pragma once

#include "driver/log.hpp"

namespace cloister {

/// Lines below `lowest` are dropped. Under systemd (JOURNAL_STREAM) each line carries "<N>" and no time.
void log_to_stderr(LogLevel lowest);
/// cloisterd.conf's log_level: 1 debug, 2 info, 3 warning, 4 error.
LogLevel level_of(unsigned number);

} // namespace cloister
