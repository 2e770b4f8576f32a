/// Collecting what denials() judges: how QEMU ended, and what the paths it touched are for that guest.
/// Blocks: for a worker.
#pragma once

#include "conf/base/result.hpp"
#include "security/denial.hpp"
#include "security/kernel/fd.hpp"
#include "security/kernel/process.hpp"
#include "security/lower.hpp"
#include "security/plan.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// Keeps a guest's mount namespace, its /dev included, beyond its end. Empty: it has none of its own, or is
/// gone.
Fd mount_namespace_of(const LaunchPlan& plan, const ProcessId& guest);

struct Dead {
    LaunchPlan plan{};
    Lowered lowered{};
    ProcessId process{};
    std::optional<ExitStatus> ended{};
    std::string words{};                      ///< QEMU's last
    std::string helper{};                     ///< cloister-confine
    std::chrono::milliseconds patience{5000}; ///< for the whole replay: a path may lie on a dead server
};
/// The guest's groups must still be there. What cannot be found out is left out.
DeathFacts death_facts(const Dead& dead, const Fd& mount_namespace);

/// What that guest finds at each of `paths`: a short-lived process becomes the guest (namespace, groups,
/// user, capabilities) and looks. `mount_namespace` empty: the host's. Errors: system, operation_timeout.
Result<std::vector<Tried>> replay(const Dead& dead, const Fd& mount_namespace,
                                  const std::vector<std::string>& paths);

} // namespace cloister
