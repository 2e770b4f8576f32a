/// The one std::variant of devices. Its order is the order in which a <devices> element is printed.
#pragma once

#include "conf/device/controller.hpp"
#include "conf/device/disk.hpp"
#include "conf/device/filesystem.hpp"
#include "conf/device/hostdev.hpp"
#include "conf/device/hub.hpp"
#include "conf/device/interface.hpp"
#include "conf/device/lease.hpp"
#include "conf/device/redirdev.hpp"
#include "conf/device/redirfilter.hpp"
#include "conf/device/rng.hpp"
#include "conf/device/smartcard.hpp"

namespace cloister {

/// A device that is kept and printed, but not modelled: its start is refused.
struct UnmodelledDevice {
    xml::Node node{};
    bool operator==(const UnmodelledDevice&) const = default;
};

using Device = std::variant<Disk, Controller, Lease, Filesystem, Interface, Smartcard, Hostdev, Redirdev,
                            RedirFilter, Hub, Rng, UnmodelledDevice>;

} // namespace cloister
