/// Reading back from the kernel how a process is confined.
#pragma once

#include "conf/base/result.hpp"
#include "security/lower.hpp"
#include "security/verify.hpp"

namespace cloister {

/// Reads all of it. Errors: system (ESRCH when the process is gone), access_denied.
Result<ProcessFacts> process_facts(const ProcessId& process, const Lowered& lowered);
/// The report of a running guest at any time; `lowered` is the one of its launch, or lower() again.
Result<Report> verify(const LaunchPlan& plan, const Lowered& lowered, const ProcessId& process);
} // namespace cloister
