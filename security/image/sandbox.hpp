/// How the child that reads images takes everything from itself before it sees the first one. It was born
/// with namespaces of its own (ImageReader); this empties them. Single-threaded, linear; ends the process
/// when a step fails.
#pragma once

#include <string_view>

namespace cloister {

/// The descriptor of the socket to the daemon: the only one that there is.
inline constexpr int image_socket = 0;

/// An empty root, no ids that own anything, no capabilities, no room to grow; last the filter, as
/// struct sock_filter[] (none: left out, which only tests do).
void enter_image_sandbox(std::string_view filter);

} // namespace cloister
