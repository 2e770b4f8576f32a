/// Times of display passwords. Pure.
#pragma once

#include "driver/device/device.hpp"

#include <chrono>

namespace cloister {

/// "2011-05-31T16:11:22" (UTC) as seconds since the epoch; nullopt: not such a time.
std::optional<std::int64_t> utc_seconds(std::string_view text);

} // namespace cloister
