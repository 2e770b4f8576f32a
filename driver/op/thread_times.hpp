/// What the kernel counts of one process or thread.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace cloister {

struct ThreadTimes {
    std::uint64_t user_ns = 0, system_ns = 0;
    std::int32_t cpu = 0;       ///< where it ran last
    std::uint64_t delay_ns = 0; ///< runnable, but waiting for a CPU
    bool operator==(const ThreadTimes&) const = default;
};

/// Of thread `tid` of `pid`; with tid 0 of the whole process. nullopt when it is gone. Source: proc(5).
std::optional<ThreadTimes> thread_times(pid_t pid, pid_t tid = 0);

/// Resident memory in KiB; 0 when the process is gone.
std::uint64_t resident_kib(pid_t pid);

} // namespace cloister
