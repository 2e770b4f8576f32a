/// The guest's processor: what a definition stores of it, and QEMU's -cpu. Pure.
/// Source: facts/behaviour.md D.3, D.5 item 7.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "security/item.hpp"

namespace cloister {

/// Writes the machine's default CPU into a definition that names none; match, check, fallback, policies.
void complete_cpu(Domain& domain, const QemuCaps* caps);
/// Errors: config_unsupported, with libvirt's texts.
Result<> check_cpu(const Domain& domain, const QemuCaps* caps);

/// -cpu, one item. Errors: config_unsupported for a model that this QEMU has not, or a feature the host lacks
/// though the definition demands it.
Result<QemuItem> cpu_item(const Domain& domain, const QemuCaps& caps);

} // namespace cloister
