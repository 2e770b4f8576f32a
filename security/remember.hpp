/// What a file itself remembers of its owner, in libvirt's own extended attributes, so that files that are
/// shared with libvirt, or handed over to it, come back to whom they belong. Pure.
/// Source: facts/behaviour.md B.3, "Remembered ownership".
#pragma once

#include "security/op.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cloister {

namespace remember {
inline constexpr const char* owner = "trusted.libvirt.security.dac";
inline constexpr const char* count = "trusted.libvirt.security.ref_dac";
inline constexpr const char* boot = "trusted.libvirt.security.timestamp_dac";
} // namespace remember

/// The attributes as they were read; absent: not there.
struct MemoryText {
    std::optional<std::string> owner{}, count{}, boot{};
    bool empty() const { return !owner && !count && !boot; }
    bool operator==(const MemoryText&) const = default;
};

struct Memory {
    Owner owner{};
    std::uint32_t count = 0; ///< users of the file, guests of libvirt among them
    bool operator==(const Memory&) const = default;
};

/// Absent: nothing is remembered, or what is there is of an earlier boot, whose users are all gone.
std::optional<Memory> memory_from(const MemoryText& text, std::uint64_t boot_time);
MemoryText memory_text(const Memory& memory, std::uint64_t boot_time);
/// The line "btime N" of /proc/stat; 0 when it is not there.
std::uint64_t boot_time_in(std::string_view proc_stat);

} // namespace cloister
