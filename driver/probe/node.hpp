/// Counting the host's processors and memory now. Blocking, but only /proc and /sys: microseconds to a
/// millisecond.
#pragma once

#include "conf/base/result.hpp"
#include "driver/facts/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cloister {

/// Everything that does not change from call to call but the numbers of free pages. `uuid`: what to report as
/// the host's; empty: that of `uuid_source`, "smbios" or "machine-id"; the other one when it has none.
HostTopology host_topology(std::string uuid, std::string_view uuid_source = "smbios");

/// What virNodeGetInfo reports.
struct NodeInfo {
    std::string model{};
    std::uint64_t memory_kib = 0;
    unsigned cpus = 0, mhz = 0, nodes = 1, sockets = 1, cores = 1, threads = 1;
    bool operator==(const NodeInfo&) const = default;
};
/// Sockets are of one node, cores of one socket, threads of one core; when they do not multiply to the number
/// of processors (a host that is not symmetric), one socket with that many cores.
NodeInfo node_info(const HostTopology& topology);

using Counters = std::vector<std::pair<std::string, std::uint64_t>>;
/// Nanoseconds since boot: kernel, user, idle, iowait. `cpu` absent: of all. Errors: invalid_arg.
Result<Counters> cpu_counters(std::optional<unsigned> cpu);
/// KiB: total, free, and for the whole host buffers and cached. Errors: invalid_arg for an unknown `cell`.
Result<Counters> memory_counters(std::optional<unsigned> cell);
/// Bytes.
std::uint64_t free_memory();
/// Of one cell, bytes; absent when there is no such cell.
std::optional<std::uint64_t> free_memory_of(unsigned cell);
/// Pages of `size_kib` that are free in a cell. Errors: operation_failed when the host has no such pages.
Result<std::uint64_t> free_pages(unsigned cell, std::uint64_t size_kib);

} // namespace cloister
