/// Domain -> LaunchPlan: QEMU's command line, its environment and identity, what of the host it may touch and
/// how it is confined. Pure: `explain` prints the very value that a launch executes.
/// Source: facts/behaviour.md D.5, B.3 to B.6, A.1.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/reserved.hpp"
#include "security/plan.hpp"

namespace cloister {

/// `live`: from live_copy(). Errors: config_unsupported (what QEMU cannot do, what is not modelled: with its
/// name and line; a passthrough argument that would break the confinement), internal, no_secret …
Result<LaunchPlan> plan_launch(const Domain& live, const QemuCaps& caps, const QemuConf& conf,
                               const HostFacts& facts, const Reserved& reserved, const LaunchPaths& paths);

/// The items and grants of one device of a live domain: what a hot-plug adds. `device` is one of the
/// domain's.
Result<DevicePlan> plan_device(const Device& device, const Domain& live, const QemuCaps& caps,
                               const QemuConf& conf, const HostFacts& facts, const Reserved& reserved,
                               const LaunchPaths& paths);

/// The `number`th of its type in the domain, in document order.
unsigned index_among_its_kind(const Device& device, const Domain& domain);

} // namespace cloister
