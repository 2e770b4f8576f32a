/// The items of a device's plan as commands to the monitor of a running QEMU. Pure.
#pragma once

#include "driver/plan/hotplug.hpp"

namespace cloister {

/// Every item of `plan`, and its monitor commands, in order, each with its inverse.
/// Errors: operation_unsupported for an option that QEMU only takes on its command line.
Result<std::vector<HotStep>> hot_steps(const DevicePlan& plan);

/// chardev-add's `backend` for the text of a -chardev: "socket,id=c0,path=/x" and the like.
/// Errors: operation_unsupported for a backend that cannot be added.
Result<boost::json::object> chardev_backend(std::string_view text);

/// A device's own defaults, as if it stood in the domain.
void complete_one(Device& device, const Domain& domain, const QemuCaps* caps, const QemuConf& conf);

/// The set that a descriptor's fdset gets when it is added to a running guest: by its symbol, always the
/// same.
std::uint32_t fdset_number(std::string_view symbol);

} // namespace cloister
