/// From what the user wrote to what a stored definition says: defaults, implicit devices, addresses. Pure.
/// Source: facts/behaviour.md D.2 to D.4.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"

#include <cstdint>
#include <span>

namespace cloister {

/// How many random bytes complete_domain() may use: uuid, genid, and three for each interface without a MAC.
std::size_t random_bytes_needed(const Domain& domain);

enum class Completion {
    define, ///< a new definition: addresses are assigned, values checked; NUMA cells say how much memory
            ///< there is
    stored, ///< a definition that was stored before: the same, but <memory> keeps what it says and USB ports
            ///< are left to the start
    live,   ///< the text of a running guest, read back: nothing is assigned that it does not say
};

/// Fills in everything that a stored definition says, in place. `caps`: of the domain's emulator; null while
/// it cannot be asked: then machine, addresses and all that depends on them stay as they are.
/// `random`: at least random_bytes_needed() bytes; missing ones count as 0.
/// Errors: xml, config_unsupported, internal, with libvirt's texts; the domain is then half done.
Result<> complete_domain(Domain& domain, const QemuCaps* caps, const QemuConf& conf, const HostFacts& facts,
                         std::span<const std::uint8_t> random, Completion how = Completion::define);

/// The same for one device that is added to a complete domain: it is completed, gets an address, and is
/// checked; the domain is not changed but for controllers that the device needs (appended).
/// Errors: as above; internal "No more available PCI slots".
Result<> complete_device(Device& device, Domain& domain, const QemuCaps& caps, const QemuConf& conf,
                         const HostFacts& facts, std::span<const std::uint8_t> random);

} // namespace cloister
