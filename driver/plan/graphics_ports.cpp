#include "driver/plan/graphics_ports.hpp"

namespace cloister {

bool listens_on_tcp(const std::vector<Listen>& listens) {
    if (listens.empty()) return true;
    const auto type = listens.front().type;
    return type == ListenType::address || type == ListenType::network;
}

namespace {

/// qemu.conf prefers sockets, and the definition does not ask for an address.
bool becomes_socket(const std::vector<Listen>& listens, bool prefer_socket) {
    return prefer_socket && !listens.empty() && listens.front().type == ListenType::address &&
           !listens.front().address;
}
bool keeps_tcp(const Vnc& vnc, const QemuConf& conf) {
    return listens_on_tcp(vnc.listens) && !becomes_socket(vnc.listens, conf.vnc_auto_unix_socket);
}

} // namespace

bool vnc_port_needed(const Vnc& vnc, const QemuConf& conf) {
    return keeps_tcp(vnc, conf) && (vnc.autoport == YesNo::yes || vnc.port.value_or(-1) == -1);
}
bool vnc_websocket_needed(const Vnc& vnc, const QemuConf& conf) {
    return keeps_tcp(vnc, conf) && vnc.websocket == -1;
}

SpicePorts spice_ports_needed(const Spice& spice, const QemuConf& conf) {
    SpicePorts out;
    if (!listens_on_tcp(spice.listens)) return out;
    if (becomes_socket(spice.listens, conf.spice_auto_unix_socket)) return out;
    out.plain = spice.port == -1;
    out.tls = spice.tls_port == -1;
    if (spice.autoport != YesNo::yes) return out;
    const auto ask = [&](SpiceSecurity mode) {
        switch (mode) {
        case SpiceSecurity::secure: out.tls = true; break;
        case SpiceSecurity::insecure: out.plain = true; break;
        case SpiceSecurity::any:
            out.plain = true;
            out.tls = out.tls || conf.spice_tls;
            break;
        }
    };
    for (const auto& channel : spice.channels) {
        // a channel without a wish follows the default
        ask(channel.mode == SpiceSecurity::any ? spice.default_mode.value_or(SpiceSecurity::any)
                                               : channel.mode);
    }
    if (spice.channels.size() < names<SpiceChannelName>.pairs.size())
        ask(spice.default_mode.value_or(SpiceSecurity::any));
    return out;
}

bool tap_needed(const Interface& interface) {
    switch (interface.type.value_or(InterfaceType::user)) {
    case InterfaceType::network:
    case InterfaceType::bridge:
    case InterfaceType::ethernet: break;
    case InterfaceType::user:
    case InterfaceType::vhostuser:
    case InterfaceType::server:
    case InterfaceType::client:
    case InterfaceType::mcast:
    case InterfaceType::internal:
    case InterfaceType::direct:
    case InterfaceType::hostdev:
    case InterfaceType::udp:
    case InterfaceType::vdpa: return false;
    }
    return !interface.target || !interface.target->dev;
}

} // namespace cloister
