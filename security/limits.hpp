/// Resource limits of a guest. Pure.
#pragma once

#include "security/plan.hpp"
#include "security/script.hpp"

#include <string_view>
#include <vector>

namespace cloister {

/// What the helper sets before exec; a limit that the plan leaves open is inherited. The limit of threads is
/// the control group's.
std::vector<ScriptLimit> process_limits(const Limits& limits);
/// "memlock", "nofile" …
std::string_view limit_name(int resource);

} // namespace cloister
