/// The tables of keys: one line per key. Only read.cpp uses them.
#pragma once

#include "conf/settings/daemon_conf.hpp"
#include "conf/settings/key.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <span>

namespace cloister::settings {

std::span<const Key<QemuConf>> qemu_keys();
std::span<const Key<DaemonConf>> daemon_keys();
/// Why a key of libvirt's other daemons means nothing in cloisterd.conf; empty: it is none of theirs.
std::string_view other_daemons_key(std::string_view name);

} // namespace cloister::settings
