/// What `virsh domxml-to-native` shows: the command line of a start, with nothing reserved. Pure.
/// Source: facts/behaviour.md D.5, last paragraph.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"

namespace cloister {

/// `domain`: complete. One line, quoted for a shell, environment first.
Result<std::string> native_command(const Domain& domain, const QemuCaps& caps, const QemuConf& conf,
                                   const HostFacts& facts, const Folders& folders);

} // namespace cloister
