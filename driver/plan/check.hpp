/// What no single device can check: the domain as a whole. Pure. Errors have libvirt's texts.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"

namespace cloister {

/// Can this daemon and this QEMU run that kind of guest at all.
Result<> check_kind(const Domain& domain, const QemuCaps* caps, const HostFacts& facts);
/// The PCI controllers fit the machine: before anything is plugged into them. Nothing without a QEMU.
Result<> check_pci_controllers(const Domain& domain, const QemuCaps* caps);
/// What a complete definition needs of this QEMU; what needs none is conf/domain/check.hpp's.
Result<> check_domain(const Domain& domain, const QemuCaps* caps, const QemuConf& conf,
                      const HostFacts& facts);

} // namespace cloister
