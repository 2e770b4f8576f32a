/// Which TCP ports a display needs. Pure. Source: facts/behaviour.md D.3.
#pragma once

#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"

namespace cloister {

/// True when the display listens on TCP at all.
bool listens_on_tcp(const std::vector<Listen>& listens);
/// The port of a VNC display is chosen at start.
bool vnc_port_needed(const Vnc& vnc, const QemuConf& conf);
bool vnc_websocket_needed(const Vnc& vnc, const QemuConf& conf);

struct SpicePorts {
    bool plain = false, tls = false;
    bool operator==(const SpicePorts&) const = default;
};
SpicePorts spice_ports_needed(const Spice& spice, const QemuConf& conf);

/// True for an interface whose tap gets a name made up at start.
bool tap_needed(const Interface& interface);

} // namespace cloister
