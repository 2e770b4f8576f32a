/// The tables of keys: one line per key. Only read.cpp uses them.
#pragma once

#include "conf/settings/daemon_conf.hpp"
#include "conf/settings/key.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <span>

namespace cloister::settings {

std::span<const Key<QemuConf>> qemu_keys();
std::span<const Key<DaemonConf>> daemon_keys();

} // namespace cloister::settings
