/// Which host CPUs a thread may run on.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace cloister {

/// The numbers of the CPUs, ascending. Errors: system, also when the thread is gone.
Result<std::vector<std::uint32_t>> affinity_of(pid_t thread);
/// The threads that a process has now; none when it is gone.
std::vector<pid_t> threads_of(pid_t process);
/// Errors: system; invalid_arg for an empty list.
Result<> set_affinity(pid_t thread, const std::vector<std::uint32_t>& cpus);

} // namespace cloister
