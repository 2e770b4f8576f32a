#include "driver/reserve.hpp"

#include "conf/base/tr.hpp"
#include "driver/guest.hpp"
#include "driver/parts.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "security/kernel/fd.hpp"
#include "security/selinux.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <fmt/core.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

namespace cloister {

namespace {

/// Whether somebody could listen there now. The port is free again afterwards: between this and QEMU's bind
/// another program may take it, and QEMU then says so.
bool is_free(std::uint16_t port, const std::string& address) {
    sockaddr_in6 six{};
    sockaddr_in four{};
    const bool v6 = ::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1;
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    six.sin6_port = four.sin_port = htons(port);
    if (!v6 && ::inet_pton(AF_INET, address.c_str(), &four.sin_addr) != 1)
        four.sin_addr.s_addr = htonl(INADDR_ANY);
    const Fd socket{::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket) return true; // no such family here: nobody listens either
    const int on = 1;
    ::setsockopt(socket.n(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto* where =
        v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    return ::bind(socket.n(), where, v6 ? sizeof six : sizeof four) == 0 || errno != EADDRINUSE;
}

Result<std::uint16_t> free_port(const std::set<std::uint16_t>& taken, const PortNeed& need,
                                const QemuConf& conf) {
    const bool display = need.range == PortNeed::Range::display;
    const auto first = display ? conf.remote_display_port_min : conf.remote_websocket_port_min;
    const auto last = display ? conf.remote_display_port_max : conf.remote_websocket_port_max;
    for (auto port = first; port <= last && port <= 65535; ++port) {
        const auto number = static_cast<std::uint16_t>(port);
        if (!taken.contains(number) && is_free(number, need.address)) return number;
    }
    return fail(Code::internal, tr("Unable to find an unused port in range '{0}' ({1}-{2})",
                                   display ? "display" : "websocket", first, last));
}

/// A static label's own pair, so that no other guest is given it; otherwise one that nobody has.
/// Errors: internal when the daemon's context has too few categories, or all of them are taken.
Result<std::string> categories_for(const Driver::Parts& parts, const Domain& domain) {
    for (const auto& label : domain.seclabels)
        if (label.model == "selinux" && label.type == SecLabelType::static_)
            if (const auto context = selinux_context(label.label.value_or("")))
                return pair_in(*context).value_or("");
    if (!parts.mcs_range)
        return fail(Code::internal,
                    tr("the SELinux context of the daemon has fewer than 8 categories to tell guests apart"));
    std::uint64_t chosen = 0;
    for (const auto byte : random_bytes(sizeof chosen)) chosen = chosen << 8 | byte;
    return mcs_pair(*parts.mcs_range, parts.mcs, chosen);
}

std::string tap_name(unsigned& next) {
    for (;;) {
        auto name = fmt::format("vnet{}", next++);
        if (::if_nametoindex(name.c_str()) == 0) return name;
    }
}

} // namespace

std::vector<std::uint8_t> random_bytes(std::size_t count) {
    std::vector<std::uint8_t> out(count);
    std::size_t filled = 0;
    while (filled < count) {
        const auto n = ::getrandom(out.data() + filled, count - filled, 0);
        if (n > 0) filled += static_cast<std::size_t>(n);
    }
    return out;
}

Result<Reserved> reserve_for_show(Driver& driver, const Domain& domain) {
    const auto& parts = driver.parts();
    const auto& conf = driver.conf();
    Reserved out{.id = parts.last_id + 1, .random = random_bytes(launch_random_bytes)};
    auto taken = parts.ports;
    for (const auto& need : ports_needed(domain, conf)) {
        const auto port = TRY(free_port(taken, need, conf));
        taken.insert(port);
        (need.range == PortNeed::Range::display ? out.display_ports : out.websocket_ports).push_back(port);
    }
    auto next_tap = parts.next_tap;
    for (unsigned i = 0; i < taps_needed(domain); ++i) out.taps.push_back(tap_name(next_tap));
    // 0 lets the launch take the first free one, by trying: the kernel knows every user of the host.
    out.vsock_cids.assign(vsock_cids_needed(domain), 0);
    out.mcs = TRY(categories_for(parts, domain));
    return out;
}

Result<Reserved> reserve(Driver& driver, const Domain& domain) {
    auto out = TRY(reserve_for_show(driver, domain));
    take(driver, out);
    return out;
}

void take(Driver& driver, const Reserved& reserved) {
    auto& parts = driver.parts();
    parts.last_id = std::max(parts.last_id, reserved.id);
    parts.ports.insert(reserved.display_ports.begin(), reserved.display_ports.end());
    parts.ports.insert(reserved.websocket_ports.begin(), reserved.websocket_ports.end());
    if (!reserved.mcs.empty()) parts.mcs.insert(reserved.mcs);
    for (const auto& tap : reserved.taps)
        if (unsigned number = 0; std::sscanf(tap.c_str(), "vnet%u", &number) == 1)
            parts.next_tap = std::max(parts.next_tap, number + 1);
}

void give_back(Driver& driver, const Reserved& reserved) {
    auto& parts = driver.parts();
    for (const auto port : reserved.display_ports) parts.ports.erase(port);
    for (const auto port : reserved.websocket_ports) parts.ports.erase(port);
    if (const auto pair = parts.mcs.find(reserved.mcs); pair != parts.mcs.end()) parts.mcs.erase(pair);
}

} // namespace cloister
