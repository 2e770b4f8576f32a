/// What the daemon and the launch helper say to each other, one datagram each, over a socket pair.
///
///     daemon                                   helper
///     (pid, start time and boot id on disk)    waits; end of file: exits
///     go                                  ->   session, limits, mount namespace, private /dev
///                                         <-   ready
///     (fills /dev, gives owners away)
///     exec                                ->   ids, capabilities, Landlock, filter, execve
///                                         <-   end of file: exec'd (the socket is closed on exec)
///
/// One that looks at paths as a guest (a third argument names a mount namespace, or -1):
///     go                                  ->   namespace, ids, capabilities
///                                         <-   a Tried for each path; end of file
/// A step that fails answers with a Refusal and ends the helper.
#pragma once

#include <array>
#include <cstdint>

namespace cloister::handshake {

inline constexpr char go = 'g', exec = 'x', ready = 'r', refused = 'e';

struct Refusal {
    char kind = refused;
    std::uint8_t layer = 0;        ///< Layer
    std::int32_t number = 0;       ///< errno
    std::array<char, 120> doing{}; ///< "change user and group", NUL-terminated
};

} // namespace cloister::handshake
