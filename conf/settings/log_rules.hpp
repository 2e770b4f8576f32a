/// log_level, log_filters and log_outputs as a value: which line of the log goes where.
/// Source: facts/behaviour.md C.3 (libvirt's grammar).
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/daemon_conf.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

enum class LogPlace { stderr_, file, syslog, journald };

struct LogOutput {
    unsigned level = 1; ///< 1 debug … 4 error: lines below it are dropped
    LogPlace place = LogPlace::stderr_;
    std::string name{}; ///< of a file: its path; of syslog: who speaks
    bool operator==(const LogOutput&) const = default;
};
struct LogFilter {
    unsigned level = 1;
    std::string part{}; ///< what the source file's path contains
    bool operator==(const LogFilter&) const = default;
};
struct LogRules {
    unsigned level = 3; ///< of lines that no filter speaks of
    std::vector<LogFilter> filters{};
    std::vector<LogOutput> outputs{}; ///< never empty
    bool operator==(const LogRules&) const = default;
};

/// Errors: conf_syntax with file, line, key and the word that is wrong.
Result<LogRules> log_rules(const DaemonConf& conf);

/// The level from which lines of this source file are kept: the first filter that fits decides.
unsigned least_level(const LogRules& rules, std::string_view source_file);

} // namespace cloister
