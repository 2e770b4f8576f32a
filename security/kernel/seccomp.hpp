/// Compiles a filter policy into the program that the kernel takes.
#pragma once

#include "conf/base/result.hpp"
#include "security/seccomp.hpp"

#include <string>

namespace cloister {

/// struct sock_filter[] as bytes, for this machine's architecture. Calls that it does not have are left out.
/// Errors: system, layer seccomp.
Result<std::string> compiled(const SeccompPolicy& policy);

} // namespace cloister
