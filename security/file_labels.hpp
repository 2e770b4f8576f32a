/// SELinux: which label each file of a guest gets. Pure.
/// Source: facts/behaviour.md A.31, B.3.
#pragma once

#include "security/look.hpp"
#include "security/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// The label that one grant's file gets; absent: it is left alone.
std::optional<std::string> file_label(const Grant& grant, const Identity& who);

/// The labels of everything granted that is not a node of the private /dev; every file is held, as for its
/// owner. `guest` names the holder. `notes` gets what lies on file systems without labels of their own.
std::vector<Op> label_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                          const HostLook& look, const std::string& guest, std::vector<std::string>& notes);

} // namespace cloister
