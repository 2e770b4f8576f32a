/// What a file itself remembers of its owner and its label, in libvirt's own extended attributes, so that
/// files that are shared with libvirt, or handed over to it, come back to whom they belong. Pure.
/// Source: facts/behaviour.md B.3, "Remembered ownership".
#pragma once

#include "security/op.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cloister {

/// The names of the attributes of one security model.
struct MemoryNames {
    const char *value, *count, *boot;
};
namespace remember {
inline constexpr MemoryNames dac{"trusted.libvirt.security.dac", "trusted.libvirt.security.ref_dac",
                                 "trusted.libvirt.security.timestamp_dac"};
inline constexpr MemoryNames selinux{"trusted.libvirt.security.selinux",
                                     "trusted.libvirt.security.ref_selinux",
                                     "trusted.libvirt.security.timestamp_selinux"};
} // namespace remember

/// The attributes as they were read; absent: not there.
struct MemoryText {
    std::optional<std::string> value{}, count{}, boot{};
    bool empty() const { return !value && !count && !boot; }
    bool operator==(const MemoryText&) const = default;
};

/// What is remembered (Owner or a label), and how many use the file, guests of libvirt among them.
template <class Value> struct Memory {
    Value value{};
    std::uint32_t count = 0;
    bool operator==(const Memory&) const = default;
};

/// Absent: nothing is remembered, or what is there is of an earlier boot, whose users are all gone.
template <class Value>
std::optional<Memory<Value>> memory_from(const MemoryText& text, std::uint64_t boot_time);
MemoryText memory_text(const Memory<Owner>& memory, std::uint64_t boot_time);
MemoryText memory_text(const Memory<std::string>& memory, std::uint64_t boot_time);
/// The line "btime N" of /proc/stat; 0 when it is not there.
std::uint64_t boot_time_in(std::string_view proc_stat);

} // namespace cloister
