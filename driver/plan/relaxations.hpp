/// Which lines of qemu.conf weaken the confinement of every guest of this host, as sentences. Pure.
#pragma once

#include "conf/settings/qemu_conf.hpp"
#include "driver/facts/host_facts.hpp"

#include <string>
#include <vector>

namespace cloister {

/// One sentence for each layer that qemu.conf turns off or loosens, ending in the line that does it. What a
/// guest's own definition loosens, and who it runs as, is not here.
std::vector<std::string> host_wide_relaxations(const QemuConf& conf, const HostFacts& facts);

} // namespace cloister
