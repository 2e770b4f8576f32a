/// /proc/PID/mountinfo, read.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cloister {

struct Mount {
    std::uint64_t id = 0;
    std::string point{}, type{}, source{}, options{}; ///< options: of the file system
    std::string flags{};                              ///< of this mount: "rw,nosuid,noexec,relatime"
    bool shared = false, slave = false;
    bool idmapped = false; ///< owners look different through it
    bool operator==(const Mount&) const = default;
};
/// In mount order: a later one at the same point hides the earlier. `process`: "self" or a pid.
Result<std::vector<Mount>> mounts(const std::string& process);
/// The mount points below our /dev that a private /dev keeps: each once, without those inside another.
std::vector<std::string> dev_submounts();

/// Whether a mount that the host makes later can arrive in a guest: "/" is shared.
bool root_is_shared();

} // namespace cloister
