/// QemuCaps as JSON text, for the cache on disk. Our own format; a file of another version reads as absent.
/// Pure.
#pragma once

#include "driver/caps/qemu_caps.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace cloister {

/// `key` says which binary and which host this is about; it is compared when reading.
std::string caps_text(const QemuCaps& caps, std::string_view key);

/// nullopt: not our format, another version of it, damaged, or written for another key.
std::optional<QemuCaps> caps_from(std::string_view text, std::string_view key);

} // namespace cloister
