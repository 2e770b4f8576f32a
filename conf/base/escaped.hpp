/// Text of strangers, made harmless for a log and for the terminal that shows it.
#pragma once

#include <string>
#include <string_view>

namespace cloister {

/// Control characters (C0, DEL, C1) and bytes that are no UTF-8 as \xNN. One line in, one line out.
std::string escaped(std::string_view text);
/// "2026-11-23 22:57:40.161+0000:", as the daemon's lines of a log begin.
bool has_log_stamp(std::string_view line);
/// The same for a line that a guest wrote into a log that the daemon writes, too: one that begins with a time
/// stamp as the daemon's lines do gets its first digit as \xNN, so that nobody takes it for one of them.
std::string escaped_guest_line(std::string_view line);

} // namespace cloister
