/// What only the driver's own files use: numbers and names that must be unique, and the caches.
#pragma once

#include "driver/driver.hpp"
#include "driver/guest_logs.hpp"
#include "driver/jobs.hpp"
#include "driver/neighbours.hpp"
#include "driver/probe/qemu_probe.hpp"
#include "security/kernel/launch.hpp"
#include "security/selinux.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace cloister {

struct Driver::Parts {
    explicit Parts(boost::asio::any_io_executor on) : definitions(on) {}

    int last_id = 0;       ///< ids only grow while the daemon lives
    unsigned next_tap = 0; ///< of vnetN: never used twice either
    std::set<std::uint16_t> ports{};
    std::multiset<std::string> mcs{}; ///< two guests of the administrator's choice may have one pair
    /// The categories that guests may be given. Absent: the daemon's own context has too few.
    std::optional<McsRange> mcs_range = McsRange{};
    Jobs definitions; ///< one change of the list of definitions at a time
    LaunchEnvironment launch{};
    std::shared_ptr<GuestLogs> guest_logs{}; ///< null: guests write their logs themselves (stdio_handler)
    std::string boot{};                      ///< this boot's id
    Fd lock{};                               ///< driver.pid, locked: one daemon per set of folders
    std::unique_ptr<QemuProbe> probe{};
    std::shared_ptr<Neighbours> neighbours{}; ///< null: there are none
};

} // namespace cloister
