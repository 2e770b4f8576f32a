/// The list of controllers: where a new one goes, and which ones a machine and its devices imply. Pure.
#pragma once

#include "conf/domain/domain.hpp"
#include "driver/caps/qemu_caps.hpp"

namespace cloister {

/// Behind the last one of its type that comes before it; at the end when it is the first of its type.
void insert_controller(Domain& domain, Controller controller);

/// An index for each controller that has none, and the ports that USB companions serve.
void number_controllers(Domain& domain);

/// Groups the user's controllers the same way, keeping the order of first appearance.
void order_controllers(Domain& domain);

/// The controllers that the machine itself has, when the text leaves them out: USB, SATA, the PCI root.
void add_machine_controllers(Domain& domain, const QemuCaps& caps);

/// A controller of this type and index, added when there is none.
Controller& need_controller(Domain& domain, ControllerType type, std::uint32_t index);

} // namespace cloister
