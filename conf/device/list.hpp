/// The one std::variant of devices. Its order is the order in which a <devices> element is printed.
#pragma once

#include "conf/device/rng.hpp"

namespace cloister {

/// A device that is kept and printed, but not modelled: its start is refused.
struct UnmodelledDevice {
    xml::Node node{};
    bool operator==(const UnmodelledDevice&) const = default;
};

using Device = std::variant<Rng, UnmodelledDevice>;

} // namespace cloister
