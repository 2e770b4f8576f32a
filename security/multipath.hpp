/// Multipath devices: one disk behind several. Pure.
#pragma once

#include "security/grant.hpp"
#include "security/look.hpp"

#include <vector>

namespace cloister {

/// The grants, and behind each that is a multipath device one for every disk that is a path of it: persistent
/// reservations are made on those. They lead to the same data; their owner stays the host's. Of other
/// device-mapper targets nothing is added: below a volume lies what belongs to other volumes too.
std::vector<Grant> with_paths_of_multipath(const std::vector<Grant>& grants, const HostLook& look);

} // namespace cloister
