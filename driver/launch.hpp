/// From a definition to a running guest, and the proof in between. See design.md 4, "Verified, then running".
#pragma once

#include "conf/base/result.hpp"
#include "driver/op/call.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace cloister {

class Driver;
struct Guest;
struct Report;     // security/report.hpp
struct LaunchPlan; // security/plan.hpp
struct Domain;

struct LaunchOptions {
    bool paused = false;                        ///< VIR_DOMAIN_START_PAUSED
    bool reset_nvram = false;                   ///< VIR_DOMAIN_START_RESET_NVRAM
    std::optional<std::uint64_t> autodestroy{}; ///< the connection whose end ends the guest
};

/// Starts an inactive guest; the caller holds its turn. When it fails, everything is taken back, the
/// definition is as before, and the error's context names the step. Events: RESUMED then STARTED; paused:
/// STARTED, SUSPENDED.
Task<Result<>> launch(Driver& driver, std::shared_ptr<Guest> guest, LaunchOptions options);

/// What a launch of `domain` would do: the very value that a launch executes, with numbers that are only
/// shown. Reads the host, changes nothing. `bounded`: as a guest's. Errors: as a launch before its first
/// change.
Task<Result<LaunchPlan>> planned(Driver& driver, std::shared_ptr<const Domain> domain, bool bounded);

/// How a running guest is confined, read back from the kernel now. Errors: operation_invalid when it does not
/// run.
Task<Result<Report>> confinement_report(Driver& driver, std::shared_ptr<Guest> guest);

} // namespace cloister
