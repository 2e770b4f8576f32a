/// What the reference fills into a definition without looking at a QEMU: sizes, vcpus, actions, clock, boot
/// order, the order of disks, the serial console. Machine, CPU, controllers, addresses, aliases and each
/// device's own defaults are driver/plan/complete's.
#pragma once

#include "conf/domain/domain.hpp"

namespace cloister {

/// Whose word counts when a definition contradicts itself.
enum class Origin {
    fresh,  ///< what a user defines now: NUMA cells and modules say how much memory there is
    stored, ///< what was stored, or runs, already: <memory> stays as it is
};

/// Pure; doing it twice changes nothing. Afterwards present: memory (0 when nobody said), current_memory,
/// vcpu, on_poweroff, on_reboot, on_crash, clock.offset, features (maybe empty), os.boot or a device's boot
/// order.
void add_defaults(Domain& domain, Origin origin = Origin::fresh);

/// Inserts behind the last disk of the same bus that does not sort after it by target name; at the end when
/// there is none. Attaching a disk to a stored definition does the same.
void insert_disk(std::vector<Device>& devices, Disk disk);

} // namespace cloister
