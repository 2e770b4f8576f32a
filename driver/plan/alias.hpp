/// The names by which QEMU knows the devices. Pure. Source: facts/behaviour.md D.8.
#pragma once

#include "conf/domain/domain.hpp"

namespace cloister {

/// Gives every device its alias; the user's own (ua-…) stay.
void assign_aliases(Domain& domain);

/// The alias of one device that is added to a running guest: the first of its kind that is free.
void assign_alias(Device& device, const Domain& domain);

} // namespace cloister
