/// Where a test lets a start or a stop fail, or the daemon die: the seam of the fault matrix. Only a daemon
/// that was told so on its command line (`--fault STEP:fault`, `--fault STEP:kill`) has one; no client can
/// ask for it. In any other daemon a step costs the look at one flag.
#pragma once

#include "conf/base/result.hpp"

#include <atomic>
#include <string>
#include <string_view>

namespace cloister::fault {

enum class Kind {
    fault, ///< the step fails
    kill   ///< the daemon gets SIGKILL there
};

/// Asks for it, once: the first time that `step` ("PHASE:NAME") is reached. Before anything runs.
void arm(std::string step, Kind kind);
void disarm();

extern std::atomic<bool> armed; ///< only for at()
Result<> asked_for(std::string_view phase, std::string_view name);

/// Stands at the end of a step of doing, and in front of a step of undoing: the worst moments. Errors:
/// operation_failed, naming the step, when that was asked for.
inline Result<> at(std::string_view phase, std::string_view name) {
    if (!armed.load(std::memory_order_relaxed)) [[likely]]
        return {};
    return asked_for(phase, name);
}

} // namespace cloister::fault
