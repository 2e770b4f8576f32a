/// What the kernel's control groups say of a running guest.
#pragma once

#include "driver/op/find.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cloister {

/// nullopt: the guest is in no group of that controller. A quota below zero, a limit of UINT64_MAX: none.
struct GroupValues {
    std::optional<std::uint64_t> cpu_shares{}, cpu_period{};
    std::optional<std::int64_t> cpu_quota{};
    std::optional<std::uint64_t> hard_limit{}, soft_limit{}, swap_hard_limit{}; ///< bytes
    std::optional<std::uint32_t> blkio_weight{};
};

/// Where the groups of a guest are: taken on the reactor, read on a worker.
struct GroupFolders {
    std::string cpu{}, memory{}, blkio{}; ///< absolute; empty: none
    bool cpu_v2 = false, memory_v2 = false, blkio_v2 = false;
};
GroupFolders group_folders(Driver& driver, const Guest& guest);
GroupValues read_groups(const GroupFolders& folders);

} // namespace cloister
