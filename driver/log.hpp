/// The driver's way to the daemon's log: an error is logged once, at the edge, by whoever nobody waits for.
#pragma once

#include <functional>
#include <source_location>
#include <string>
#include <string_view>

namespace cloister {

enum class LogLevel { debug, info, warning, error };
/// Whom a line is about, for whoever searches a journal by fields. What is empty is not said.
struct LogSubject {
    std::string domain{}, uuid{};
    std::string layer{}; ///< that refused: "selinux", "cgroup"
};
struct LogLine {
    LogLevel level = LogLevel::info;
    std::string_view source{}; ///< the file that speaks
    std::string_view text{};   ///< untranslated, one line
    const LogSubject& about;
};
/// The sink adds time and priority. Before a sink is set: standard error.
void log(LogLevel level, std::string_view line, std::source_location where = std::source_location::current());
void log(LogLevel level, const LogSubject& about, std::string_view line,
         std::source_location where = std::source_location::current());
using LogSink = std::function<void(const LogLine&)>;
/// Called by the daemon before the driver starts; any thread may log afterwards.
void set_log_sink(LogSink sink);

} // namespace cloister
