#include "security/limits.hpp"

#include <sys/resource.h>

namespace cloister {

std::vector<ScriptLimit> process_limits(const Limits& limits) {
    std::vector<ScriptLimit> out;
    if (limits.memlock) out.push_back({RLIMIT_MEMLOCK, *limits.memlock});
    if (limits.processes) out.push_back({RLIMIT_NPROC, *limits.processes});
    if (limits.files) out.push_back({RLIMIT_NOFILE, *limits.files});
    out.push_back({RLIMIT_CORE, limits.core});
    return out;
}

std::string_view limit_name(int resource) {
    switch (resource) {
    case RLIMIT_MEMLOCK: return "memlock";
    case RLIMIT_NPROC: return "nproc";
    case RLIMIT_NOFILE: return "nofile";
    case RLIMIT_CORE: return "core";
    default: return "limit";
    }
}

} // namespace cloister
