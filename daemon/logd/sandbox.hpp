/// How cloister-logd gives up everything but reading pipes and writing the logs it was handed.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <string>

namespace cloister::logd {

struct RunsAs {
    std::uint32_t uid = 0, gid = 0;
    std::string warning{}; ///< when it is not the user made for it
};
/// "cloister-log", or nobody where there is no such user: it owns no file and opens none, so a user of its
/// own only keeps other processes of nobody from signalling it. Not root already: stays who it is.
RunsAs who_to_be();

/// User and group, no capability, no_new_privs, not dumpable, and a list of the system calls that are left:
/// none of them opens, executes or changes anything that has a name. Errors: system, naming the layer.
Result<> enter_sandbox(const RunsAs& who);

} // namespace cloister::logd
