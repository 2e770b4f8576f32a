/// What QEMU and the host count of a running guest: disks, network, memory. Nothing is changed.
#pragma once

#include "conf/domain/domain.hpp"
#include "driver/op/find.hpp"

#include <boost/json/value.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// Of one disk, since the guest started.
struct BlockCounters {
    std::uint64_t rd_reqs = 0, rd_bytes = 0, rd_times = 0; ///< times in ns
    std::uint64_t wr_reqs = 0, wr_bytes = 0, wr_times = 0;
    std::uint64_t fl_reqs = 0, fl_times = 0;
    std::uint64_t highest_offset = 0; ///< the farthest byte that was written
    bool operator==(const BlockCounters&) const = default;
};
/// query-blockstats, by the alias of the device.
std::map<std::string, BlockCounters> block_counters(const boost::json::value& answer, const Domain& live);
/// query-named-block-nodes: the size of the guest's disk, by node name.
std::map<std::string, std::uint64_t> node_sizes(const boost::json::value& answer);

/// query-block: the "io-status" of the disk with that alias: "ok", "failed", "nospace"; empty when it has
/// none.
std::string io_status(const boost::json::value& answer, const std::string& alias);

/// Of one interface, as the guest sees it: what it received and sent.
struct NetCounters {
    std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errs = 0, rx_drop = 0;
    std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errs = 0, tx_drop = 0;
    bool operator==(const NetCounters&) const = default;
};
/// Of the host's device `name`; nullopt when there is none. `swapped`: the guest is at its other end (a tap).
std::optional<NetCounters> net_counters(const std::string& name, bool swapped);
/// Whether the guest sits behind the host's device, as with every tap.
bool behind_tap(const Interface& interface);

/// What the guest said of its memory, by the names of the balloon device; without what it did not say.
struct BalloonReport {
    std::map<std::string, std::uint64_t> values{}; ///< "stat-free-memory" → bytes …
    std::uint64_t last_update = 0;                 ///< seconds since the epoch; 0: never
    bool operator==(const BalloonReport&) const = default;
};
BalloonReport balloon_report(const boost::json::value& answer);
/// Asks the balloon; empty when there is none, or QEMU does not know.
Task<BalloonReport> ask_balloon(GuestPointer guest);

/// A number of any kind, or 0.
std::uint64_t number_of(const boost::json::object& object, std::string_view key);

/// The host file or device of a disk; empty when it has none.
std::string host_path(const Disk& disk);
/// The disk whose target name or path this is; null when there is none.
const Disk* disk_named(const Domain& domain, const std::string& name);

} // namespace cloister
