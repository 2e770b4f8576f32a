/// Compiles a filter policy into the program that the kernel takes.
#pragma once

#include "conf/base/result.hpp"
#include "security/seccomp.hpp"

#include <string>

namespace cloister {

/// struct sock_filter[] as bytes, for this machine's architecture. Calls that it does not have are left out.
/// Errors: system, layer seccomp.
Result<std::string> compiled(const SeccompPolicy& policy);

/// "clone" for 56, on this machine's architecture; the number itself where it has no name.
std::string syscall_name(int number);

} // namespace cloister
