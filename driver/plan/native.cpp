#include "driver/plan/native.hpp"

#include "conf/domain/devices.hpp"
#include "driver/plan/live.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "driver/plan/planner.hpp"

#include <algorithm>

namespace cloister {

namespace {

/// As a shell reads it back: quoted only when it must be.
std::string quoted(const std::string& word) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_-./:=,+@%").contains(c);
    };
    if (!word.empty() && std::ranges::all_of(word, plain)) return word;
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

/// The number, or the path, that stands for a descriptor nobody opened.
std::string placeholder(const Descriptor& descriptor, unsigned& next_fd) {
    if (std::holds_alternative<VhostVsock>(descriptor.what)) return "-1";
    return std::to_string(next_fd++);
}

} // namespace

Result<std::string> native_command(const Domain& domain, const QemuCaps& caps, const QemuConf& conf,
                                   const HostFacts& facts, const Folders& folders) {
    Domain plain = domain;
    // a user network would hide how the card is connected: everything is shown as a tap
    for_each<Interface>(plain, [](Interface& i) {
        if (i.type == InterfaceType::hostdev || i.type == InterfaceType::vhostuser) return;
        i.type = InterfaceType::ethernet;
        i.source.reset();
        i.virtualport.reset();
        i.bandwidth.reset();
        i.filterref.reset();
        i.target.reset();
    });
    Reserved reserved;
    reserved.random.assign(launch_random_bytes, 0);
    reserved.every_secret = "";
    for (unsigned i = 0; i < taps_needed(plain); ++i) reserved.taps.push_back("vnet" + std::to_string(i));
    reserved.vsock_cids.assign(vsock_cids_needed(plain), 0);
    std::uint16_t display = 5900, websocket = 5700;
    for (const auto& need : ports_needed(plain, conf)) {
        if (need.range == PortNeed::Range::display)
            reserved.display_ports.push_back(display++);
        else
            reserved.websocket_ports.push_back(websocket++);
    }
    const auto paths = launch_paths(folders, plain, -1);
    const auto live = TRY(live_copy(plain, caps, conf, facts, reserved, paths, folders));
    const auto plan = TRY(plan_launch(live, caps, conf, facts, reserved, paths));
    std::vector<std::pair<std::string, std::string>> numbers, sockets;
    unsigned next_fd = 29;
    for (const auto& d : plan.descriptors) {
        numbers.emplace_back(d.symbol, placeholder(d, next_fd));
        if (const auto* socket = std::get_if<ListenSocket>(&d.what))
            sockets.emplace_back(d.symbol, socket->path);
    }
    std::string line;
    for (const auto& env : plan.env) line += env.name + "=" + quoted(env.value) + " ";
    for (auto word : argv(plan)) {
        for (const auto& [symbol, path] : sockets) {
            const auto fd = "fd=" + fd_symbol(symbol);
            if (const auto at = word.find(fd); at != std::string::npos)
                word.replace(at, fd.size(), "path=" + path);
        }
        word = with_symbols(word, numbers);
        if (!line.empty() && line.back() != ' ') line += ' ';
        line += quoted(word);
    }
    return line;
}

} // namespace cloister
