/// Choosing firmware: what <os firmware='efi'> and a bare <loader> stand for on this host. Pure.
/// Source: facts/behaviour.md D.7.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/facts/host_facts.hpp"

namespace cloister {

/// Replaces the request for firmware by a loader and its variables, in place; a definition that asks for
/// nothing stays as it is. Errors: operation_failed "Unable to find any firmware to satisfy 'efi'".
Result<> choose_firmware(Domain& domain, const QemuConf& conf, const HostFacts& facts,
                         const Folders& folders);

} // namespace cloister
