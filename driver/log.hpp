/// The driver's way to the daemon's log: an error is logged once, at the edge, by whoever nobody waits for.
#pragma once

#include <functional>
#include <source_location>
#include <string>
#include <string_view>

namespace cloister {

enum class LogLevel { debug, info, warning, error };
/// Untranslated, one line; the sink adds time and priority. Before a sink is set: standard error.
void log(LogLevel level, std::string_view line, std::source_location where = std::source_location::current());
/// Level, the source file that speaks, and the line.
using LogSink = std::function<void(LogLevel, std::string_view, std::string_view)>;
/// Called by the daemon before the driver starts; any thread may log afterwards.
void set_log_sink(LogSink sink);

} // namespace cloister
