#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cloister {
namespace {

Result<ifreq> request(const std::string& name) {
    ifreq out{};
    if (name.empty() || name.size() >= sizeof out.ifr_name)
        return fail(Code::config_unsupported, tr("'{0}' is no name for a network interface", name));
    name.copy(out.ifr_name, sizeof out.ifr_name - 1);
    return out;
}

Result<> set_mac(const Fd& control, const MakeTap& op) {
    auto ask = TRY(request(op.name));
    ask.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    const auto& mac = *op.mac;
    for (std::size_t i = 0; i < 6; ++i) {
        unsigned byte = 0;
        if (mac.size() != 17 || std::from_chars(&mac[i * 3], &mac[i * 3] + 2, byte, 16).ec != std::errc{})
            return fail(Code::invalid_mac, tr("'{0}' is no MAC address", mac));
        ask.ifr_hwaddr.sa_data[i] = static_cast<char>(byte);
    }
    if (::ioctl(control.n(), SIOCSIFHWADDR, &ask) < 0)
        return failed("set the MAC address of", op.name, Layer::none);
    return {};
}

Result<> set_mtu(const Fd& control, const MakeTap& op) {
    auto mtu = op.mtu;
    if (!mtu && op.bridge) { // as wide as the bridge: a narrower port would narrow the bridge
        auto ask = TRY(request(*op.bridge));
        if (::ioctl(control.n(), SIOCGIFMTU, &ask) < 0)
            return failed("read the MTU of", *op.bridge, Layer::none);
        mtu = static_cast<std::uint32_t>(ask.ifr_mtu);
    }
    if (!mtu) return {};
    auto ask = TRY(request(op.name));
    ask.ifr_mtu = static_cast<int>(*mtu);
    if (::ioctl(control.n(), SIOCSIFMTU, &ask) < 0) return failed("set the MTU of", op.name, Layer::none);
    return {};
}

Result<> configure(const MakeTap& op) {
    const Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!control) return failed("make a socket for", op.name, Layer::none);
    if (op.mac)
        if (auto set = set_mac(control, op); !set) return set;
    if (auto set = set_mtu(control, op); !set) return set;
    if (op.bridge) {
        auto ask = TRY(request(*op.bridge));
        ask.ifr_ifindex = static_cast<int>(::if_nametoindex(op.name.c_str()));
        // EBUSY: it is a port already (a second queue)
        if (::ioctl(control.n(), SIOCBRADDIF, &ask) < 0 && errno != EBUSY)
            return failed("add '" + op.name + "' to bridge", *op.bridge, Layer::none);
    }
    auto ask = TRY(request(op.name));
    if (::ioctl(control.n(), SIOCGIFFLAGS, &ask) < 0)
        return failed("read the flags of", op.name, Layer::none);
    ask.ifr_flags = static_cast<short>(ask.ifr_flags | IFF_UP);
    if (::ioctl(control.n(), SIOCSIFFLAGS, &ask) < 0) return failed("set up", op.name, Layer::none);
    return {};
}

} // namespace

Result<> run(const MakeTap& op, Opened& opened) {
    Fd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    if (!tun) return failed("open", "/dev/net/tun", Layer::none);
    auto ask = TRY(request(op.name));
    ask.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (op.vnet_header ? IFF_VNET_HDR : 0) |
                                       (op.multi_queue ? IFF_MULTI_QUEUE : 0));
    if (::ioctl(tun.n(), TUNSETIFF, &ask) < 0)
        return failed(op.existing ? "open tap" : "make tap", op.name, Layer::none);
    opened[op.symbol] = std::move(tun); // it goes with its last descriptor
    return op.existing ? Result<>{} : configure(op);
}

/// Normally gone already, with QEMU's descriptor; what is left of it is deleted by netlink.
Result<> run(const RemoveTap& op) {
    const auto index = ::if_nametoindex(op.name.c_str());
    if (index == 0) return {};
    const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!netlink) return failed("make a socket for", op.name, Layer::none);
    struct {
        nlmsghdr head;
        ifinfomsg link;
    } ask{};
    ask.head = {.nlmsg_len = sizeof ask,
                .nlmsg_type = RTM_DELLINK,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                .nlmsg_seq = 1,
                .nlmsg_pid = 0};
    ask.link.ifi_index = static_cast<int>(index);
    if (::send(netlink.n(), &ask, sizeof ask, 0) < 0) return failed("remove tap", op.name, Layer::none);
    alignas(nlmsghdr) std::array<char, 4096> reply{};
    const auto got = ::recv(netlink.n(), reply.data(), reply.size(), 0);
    if (got < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(nlmsgerr)))
        return failed("remove tap", op.name, Layer::none);
    nlmsgerr answer{};
    std::memcpy(&answer, reply.data() + sizeof(nlmsghdr), sizeof answer);
    errno = -answer.error;
    if (answer.error != 0 && answer.error != -ENODEV) return failed("remove tap", op.name, Layer::none);
    return {};
}

} // namespace cloister
