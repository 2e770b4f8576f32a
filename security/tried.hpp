/// What a path turned out to be for a guest: tried by a process that was made that guest (cloister-confine's
/// second trade) and told to the daemon as these bytes, one datagram each. By access(2), never by open(2):
/// the kernel asks owner, device list and LSM for both, and a watchdog is not started by being looked at.
#pragma once

#include <cstdint>

namespace cloister {

struct Tried {
    std::int32_t error = 0;       ///< errno of the way there; 0: there is something
    std::int32_t read_error = 0;  ///< errno for reading, when there is something
    std::int32_t write_error = 0; ///< for writing
    std::uint32_t stuck = 0;      ///< with an error on the way: so many bytes of the path were in its way
    std::uint32_t type = 0;       ///< S_IFMT of what is there, or of what was in the way
    std::uint32_t mode = 0;       ///< permission bits of that
    std::uint32_t uid = 0, gid = 0;
    std::uint32_t major = 0, minor = 0; ///< of a device node
    std::uint8_t read_only = 0;         ///< its mount, or file system
    std::uint8_t no_devices = 0;        ///< mounted nodev
    std::uint8_t immutable = 0;         ///< chattr +i or +a
    std::uint8_t has_acl = 0;
    bool operator==(const Tried&) const = default;
};

/// Of this process, as it is now. Kernel work: security/kernel/tried.cpp.
Tried tried(const char* path);

} // namespace cloister
