/// The three questions the driver asks of every device. std::visit asks them, so a device without an answer
/// does not link. Each driver/device/NAME.cpp specialises the three for its struct. All pure: no file is
/// read, no id allocated.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/reserved.hpp"
#include "security/plan.hpp"

namespace cloister {

struct PlanContext {
    const Domain& domain; ///< complete: every default, address and alias is filled in
    const QemuCaps& caps;
    const QemuConf& conf;
    const HostFacts& facts;
    const LaunchPaths& paths;
    const Reserved& reserved;
    unsigned index = 0; ///< among devices of the same type, in document order
};

/// Fills in what libvirt writes into a definition for this device when the user left it out (bus from the
/// target's prefix, model, driver type …). Addresses and aliases come later. May run before a QEMU is known:
/// then caps is null.
struct CompleteContext {
    const Domain& domain;
    const QemuCaps* caps = nullptr;
    const QemuConf& conf;
    unsigned index = 0;
    bool live = false; ///< the text of a running guest: what the daemon chose is kept
};
template <class D> void complete(D& device, const CompleteContext& context);

/// What libvirt refuses when the definition is stored. Errors: xml, config_unsupported …
template <class D> Result<> check(const D& device, const CompleteContext& context);

/// The QEMU items and host grants of one device. Errors: Code::config_unsupported when this QEMU cannot do
/// it.
template <class D> Result<DevicePlan> plan(const D& device, const PlanContext& context);

} // namespace cloister
