/// What the driver keeps of a launch while the guest runs: who QEMU is, and how to take everything back.
#pragma once

#include "security/kernel/fd.hpp"
#include "security/kernel/process.hpp"
#include "security/lower.hpp"
#include "security/op.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct Launched {
    ProcessId process{};
    Fd pidfd{};
    std::vector<Op> undo{};          ///< newest first; the journal on disk says the same
    std::vector<Op> until_it_runs{}; ///< more of them, see Launch; empty from `cont` on
    std::vector<Op> made_anew{};     ///< after a daemon's restart: the same, in case that it has not run
    Lowered lowered{};               ///< what verification compares with; empty after a daemon's restart
    std::map<std::string, std::vector<Op>> plugged{}; ///< alias -> its share of `undo`, of what came later
    std::vector<std::uint32_t> vsock_cids{};          ///< that the launch chose, in the order of the devices
    std::optional<ExitStatus> ended{};                ///< how, once watch() has seen it
    std::size_t log_start = 0; ///< where QEMU's words of this run begin in the domain's log
    Fd mount_namespace{}; ///< the guest's, kept so that its end can be looked into; empty: none of its own
};

} // namespace cloister
