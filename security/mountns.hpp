/// The guest's private /dev: which nodes, links and mounts are put into it. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "security/look.hpp"
#include "security/plan.hpp"

#include <string>
#include <vector>

namespace cloister {

/// Whether a path lies in the part of /dev that a guest has for itself: below /dev, and not in one of the
/// mounts that are moved in whole (pts, shm, mqueue, hugepages).
bool in_private_dev(const std::string& path, const HostLook& look);

/// Nodes with the owner that the guest needs and the host's mode; symlinks as the host has them; everything
/// else mounted from the host. `guest` of each Op is left open. What is not there is skipped.
Result<std::vector<Op>> dev_ops(const std::vector<Grant>& grants, const Identity& who, const HostLook& look);

} // namespace cloister
