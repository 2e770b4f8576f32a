/// Discretionary access: which files of the host are given to the guest's user, and from whom. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "security/look.hpp"
#include "security/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// The owner that `grant` asks for; absent: it is left alone. Errors: config_unsupported for an owner nobody
/// knows.
Result<std::optional<Owner>> owner_for(const Grant& grant, const Identity& who, const HostLook& look);
/// "+64055:+107", "0:0", or a name that `look.names` resolved.
std::optional<Owner> owner_from(const std::string& text, const HostLook& look);
/// Whether the mode bits let `who` at a file already. An ACL is not read: it only makes the answer "no".
bool may_access(const Seen& seen, const Identity& who, Access access);

/// The ownership of everything granted that is not a node of the private /dev. Every file is held, so that no
/// other guest's start takes it away; it is given only where access needs it. `guest` names the holder.
/// Files that are shared or only read stay as they are when the guest can use them already.
Result<std::vector<Op>> dac_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                                const HostLook& look, const std::string& guest);
/// With ownership = "idmap": what lets the guest see those files as its own. For inside its mount namespace.
Result<std::vector<Op>> map_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                                const HostLook& look);
/// What stands at the end of a grant, when it is the host's own file: neither made by us nor a copy in the
/// private /dev. The path has no symlink in it.
struct HostFile {
    std::string path{};
    const Seen* seen = nullptr; ///< null: none; lives as long as the look
};
HostFile host_file(const Grant& grant, bool private_dev, const HostLook& look);
/// Who holds a file that `grant` is about.
std::string holder_of(const std::string& guest, const Grant& grant);

} // namespace cloister
