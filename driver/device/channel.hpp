/// Where a channel's socket is when the definition leaves it to the daemon.
#pragma once

#include "driver/device/device.hpp"

namespace cloister {

/// CHANNEL_DIR/NAME for a virtio channel on a UNIX socket without a path; nullopt for every other.
std::optional<std::string> automatic_path(const Channel& channel, const LaunchPaths& paths);

} // namespace cloister
