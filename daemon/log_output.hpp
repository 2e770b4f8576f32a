/// Where log lines go: what log_level, log_filters and log_outputs of cloisterd.conf say.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/log_rules.hpp"

namespace cloister {

/// Before the settings are read: warnings and errors to standard error.
void log_to_stderr();
/// From now on. Under systemd (JOURNAL_STREAM) a line on standard error carries "<N>" and no time.
/// Errors: system when a file cannot be opened; config_unsupported when there is no journal. The log then
/// stays as it was.
Result<> log_by(const LogRules& rules);

} // namespace cloister
