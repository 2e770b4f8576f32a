#include "security/landlock.hpp"

#include "conf/base/tr.hpp"

#include <linux/landlock.h>

namespace cloister {
namespace {
// Debian 12's header is of Linux 6.1; these came with ABI 6 (Linux 6.12).
constexpr std::uint64_t scope_abstract_socket = 1, scope_signal = 2;
} // namespace

LandlockDomain landlock_domain(int abi) {
    LandlockDomain out;
    if (abi < 1) {
        out.notes.push_back(
            tr("landlock: the kernel has none; guests of the same user can trace each other"));
        return out;
    }
    out.use = true;
    // A ruleset must restrict something. Nothing that QEMU does makes a device node.
    out.handled = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    if (abi >= 2) { // otherwise every domain would forbid renames between folders
        out.handled |= LANDLOCK_ACCESS_FS_REFER;
        out.allowed = LANDLOCK_ACCESS_FS_REFER;
    } else
        out.notes.push_back(tr("landlock: this kernel cannot allow renames between folders inside a domain"));
    if (abi >= 6)
        out.scoped = scope_abstract_socket | scope_signal;
    else
        out.notes.push_back(
            tr("landlock: this kernel cannot keep signals and abstract sockets inside a domain"));
    return out;
}

} // namespace cloister
