/// Which devices sit on PCI buses, and how. Pure. Source: facts/behaviour.md D.4.
#pragma once

#include "conf/domain/domain.hpp"
#include "driver/plan/pci_buses.hpp"

namespace cloister {

PciClass pci_class(const Device& device, const Domain& domain);

} // namespace cloister
