#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"
#include "driver/device/device.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;

bool is_virtio(const Interface& nic) {
    return nic.model && nic.model->type && nic.model->type->starts_with("virtio");
}

std::string type_text(const Interface& nic) {
    return std::string(names<InterfaceType>.text(nic.type.value_or(InterfaceType::user)));
}

std::string mac_text(const Interface& nic) { return nic.mac ? printed(nic.mac->address) : std::string{}; }

Error unsupported(std::string message) {
    return Error{.code = Code::config_unsupported, .message = std::move(message)};
}
Error malformed(std::string message) {
    return Error{.code = Code::xml, .message = std::move(message), .domain = ErrorDomain::domain};
}

/// The tap's own address: the guest's with another first byte, so that a bridge never takes it for its own.
std::string host_mac(Mac mac) {
    mac.bytes[0] = mac.bytes[0] == 0xfe ? 0xfa : 0xfe;
    return printed(mac);
}

std::uint32_t queues_of(const Interface& nic) {
    return nic.driver && is_virtio(nic) ? std::max(1u, nic.driver->queues.value_or(1)) : 1u;
}

/// The bridge of a virtual network. Errors: no_network when nobody told it.
Result<std::string> network_bridge(const Interface& nic, const HostFacts& facts) {
    if (nic.source && nic.source->bridge) return *nic.source->bridge; // of a running guest
    const auto name = nic.source ? nic.source->network.value_or("") : std::string{};
    if (const auto found = facts.networks.find(name); found != facts.networks.end()) return found->second;
    if (facts.every_network) return *facts.every_network;
    return fail(Code::config_unsupported,
                tr("network '{0}' is not available: virtual networks belong to another daemon, use "
                   "type='bridge' with the network's bridge",
                   name));
}

/// What other daemons and programs would have to do to the host's end.
Result<> refuse_host_side(const Interface& nic, const HostFacts& facts) {
    if (facts.every_network) return {};
    const auto refuse = [&](std::string_view what) -> Result<> {
        return std::unexpected(unsupported(tr("interface {0}: <{1}> is not supported", mac_text(nic), what)));
    };
    if (nic.filterref) return refuse("filterref");
    if (nic.bandwidth) return refuse("bandwidth");
    if (nic.virtualport) return refuse("virtualport");
    if (nic.vlan) return refuse("vlan");
    if (nic.port && nic.port->isolated == YesNo::yes) return refuse("port");
    if (nic.script && !nic.script->path.empty()) return refuse("script");
    if (nic.downscript && !nic.downscript->path.empty()) return refuse("downscript");
    if (nic.source && !nic.source->ips.empty()) return refuse("ip");
    return {};
}

/// {"fd":…} for one queue, {"fds":"a:b"} for more; `stem` is "fd" or "vhostfd".
void add_descriptors(object& netdev, const std::string& stem, const std::vector<std::string>& symbols) {
    std::string joined;
    for (const auto& symbol : symbols) joined += (joined.empty() ? "" : ":") + fd_symbol(symbol);
    netdev[symbols.size() == 1 ? stem : stem + "s"] = joined;
}

std::string queue_symbol(std::string_view stem, const std::string& alias, std::uint32_t queue) {
    return queue == 0 ? fmt::format("{}-{}", stem, alias) : fmt::format("{}-{}-{}", stem, alias, queue);
}

Result<> add_vhost(DevicePlan& out, object& netdev, const Interface& nic, const std::string& alias,
                   const std::string& why, const PlanContext& context) {
    const auto wish = nic.driver ? nic.driver->name.value_or("") : std::string{};
    const bool asked = wish == "vhost";
    if (wish == "qemu" || !is_virtio(nic) || (context.domain.type != VirtType::kvm && !asked)) {
        if (asked)
            return std::unexpected(
                unsupported(tr("vhost-net is only supported for virtio network interfaces")));
        return {};
    }
    const bool present = context.facts.vhost_net || (nic.backend && nic.backend->vhost);
    if (!present) {
        if (asked)
            return std::unexpected(
                unsupported(tr("vhost-net was requested for an interface, but is unavailable")));
        return {};
    }
    const auto path = nic.backend && nic.backend->vhost ? *nic.backend->vhost : "/dev/vhost-net";
    std::vector<std::string> symbols;
    for (std::uint32_t q = 0; q < queues_of(nic); ++q) {
        symbols.push_back(queue_symbol("vhost", alias, q));
        out.descriptors.push_back(
            {symbols.back(), OpenedFile{.path = path, .access = Access::read_write}, why});
    }
    netdev["vhost"] = true;
    add_descriptors(netdev, "vhostfd", symbols);
    return {};
}

Result<object> tap(DevicePlan& out, const Interface& nic, const std::string& alias, const std::string& why,
                   const PlanContext& context) {
    TRY(refuse_host_side(nic, context.facts));
    TapDevice device{.name = nic.target ? nic.target->dev.value_or("") : "",
                     .vnet_header = is_virtio(nic),
                     .multi_queue = queues_of(nic) > 1};
    const auto type = nic.type.value_or(InterfaceType::user);
    if (type == InterfaceType::bridge) {
        if (!nic.source || !nic.source->bridge)
            return fail(Code::xml,
                        tr("No <source> 'bridge' attribute specified with <interface type='bridge'/>"));
        device.bridge = nic.source->bridge;
    }
    if (type == InterfaceType::network) device.bridge = TRY(network_bridge(nic, context.facts));
    if (type == InterfaceType::ethernet && nic.target && nic.target->managed == YesNo::no) {
        if (device.name.empty())
            return std::unexpected(malformed(tr("target dev must be supplied when managed='no'")));
        device.persistent = true;
    }
    if (nic.mac && !device.persistent) device.host_mac = host_mac(nic.mac->address);
    if (nic.mtu) device.mtu = nic.mtu->size;

    object netdev{{"type", "tap"}};
    std::vector<std::string> symbols;
    for (std::uint32_t q = 0; q < queues_of(nic); ++q) {
        symbols.push_back(queue_symbol("tap", alias, q));
        out.descriptors.push_back({symbols.back(), device, why});
        device.persistent = true; // the first makes it, the others open another queue of it
    }
    add_descriptors(netdev, "fd", symbols);
    if (nic.tune && nic.tune->sndbuf) netdev["sndbuf"] = *nic.tune->sndbuf;
    TRY(add_vhost(out, netdev, nic, alias, why, context));
    return netdev;
}

object user(const Interface& nic) {
    object netdev{{"type", "user"}};
    for (const auto& ip : nic.ips) {
        if (ip.family == "ipv6") {
            netdev["ipv6-prefix"] = ip.address;
            if (ip.prefix) {
                std::uint32_t bits = 0;
                std::from_chars(ip.prefix->data(), ip.prefix->data() + ip.prefix->size(), bits);
                netdev["ipv6-prefixlen"] = bits;
            }
        } else {
            netdev["net"] = ip.prefix ? ip.address + "/" + *ip.prefix : ip.address;
        }
    }
    return netdev;
}

object socket(const Interface& nic) {
    const auto& source = nic.source ? *nic.source : InterfaceSource{};
    const auto place = fmt::format("{}:{}", source.address_attribute.value_or(""), source.port.value_or(""));
    object netdev{{"type", "socket"}};
    switch (nic.type.value_or(InterfaceType::user)) {
    case InterfaceType::client: netdev["connect"] = place; break;
    case InterfaceType::server: netdev["listen"] = place; break;
    case InterfaceType::mcast: netdev["mcast"] = place; break;
    case InterfaceType::udp:
        netdev["udp"] = place;
        if (source.local)
            netdev["localaddr"] =
                fmt::format("{}:{}", source.local->address.value_or(""), source.local->port.value_or(""));
        break;
    case InterfaceType::user:
    case InterfaceType::ethernet:
    case InterfaceType::vhostuser:
    case InterfaceType::network:
    case InterfaceType::bridge:
    case InterfaceType::internal:
    case InterfaceType::direct:
    case InterfaceType::hostdev:
    case InterfaceType::vdpa: break;
    }
    return netdev;
}

Result<object> vhost_user(DevicePlan& out, const Interface& nic, const std::string& alias,
                          const std::string& why) {
    if (!nic.source || !nic.source->path)
        return std::unexpected(malformed(tr("No <source> 'path' attribute specified with <interface "
                                            "type='vhostuser'/>")));
    KeyValues chardev("socket");
    chardev.add("id", "char" + alias).add("path", *nic.source->path);
    if (nic.source->mode == "server") chardev.add("server", "on");
    if (const auto& again = nic.source->reconnect; again && again->enabled == YesNo::yes && again->timeout)
        chardev.add("reconnect", std::to_string(*again->timeout));
    out.items.push_back({"chardev", chardev.text(), why});
    out.grants.push_back({.path = *nic.source->path,
                          .kind = Kind::socket,
                          .access = Access::read_write,
                          .sharing = Sharing::shared,
                          .optional = nic.source->mode == "server",
                          .why = why});
    object netdev{{"type", "vhost-user"}, {"chardev", "char" + alias}};
    if (queues_of(nic) > 1) netdev["queues"] = queues_of(nic);
    return netdev;
}

Result<object> vdpa(DevicePlan& out, const Interface& nic, const std::string& alias, const std::string& why) {
    if (!nic.source || !nic.source->dev)
        return std::unexpected(
            malformed(tr("No <source> 'dev' attribute specified with <interface type='{0}'/>", "vdpa")));
    const auto symbol = alias + "-vdpa";
    out.descriptors.push_back(
        {symbol, OpenedFile{.path = *nic.source->dev, .access = Access::read_write}, why});
    KeyValues set;
    set.add("set", fd_symbol(symbol)).add("fd", fd_symbol(symbol)).add("opaque", symbol);
    out.items.push_back({"add-fd", set.text(), why});
    object netdev{{"type", "vhost-vdpa"}, {"vhostdev", "/dev/fdset/" + fd_symbol(symbol)}};
    if (queues_of(nic) > 1) netdev["queues"] = queues_of(nic);
    return netdev;
}

Result<object> backend(DevicePlan& out, const Interface& nic, const std::string& alias,
                       const std::string& why, const PlanContext& context) {
    const auto type = nic.type.value_or(InterfaceType::user);
    if (nic.backend && nic.backend->type && *nic.backend->type != "default")
        return std::unexpected(unsupported(
            tr("interface {0}: backend type '{1}' is not supported", mac_text(nic), *nic.backend->type)));
    if (nic.backend && nic.backend->tap && type != InterfaceType::ethernet &&
        type != InterfaceType::network && type != InterfaceType::bridge)
        return std::unexpected(unsupported(tr("interface {0} - custom tap device path is not supported for "
                                              "network interfaces of type {1}",
                                              mac_text(nic), type_text(nic))));
    switch (type) {
    case InterfaceType::user: return user(nic);
    case InterfaceType::ethernet:
    case InterfaceType::network:
    case InterfaceType::bridge: return tap(out, nic, alias, why, context);
    case InterfaceType::client:
    case InterfaceType::server:
    case InterfaceType::mcast:
    case InterfaceType::udp: return socket(nic);
    case InterfaceType::vhostuser: return vhost_user(out, nic, alias, why);
    case InterfaceType::vdpa: return vdpa(out, nic, alias, why);
    case InterfaceType::direct:
        return std::unexpected(unsupported(
            tr("interface {0}: macvtap devices (type='direct') are not supported", mac_text(nic))));
    case InterfaceType::hostdev:
        return std::unexpected(unsupported(
            tr("interface {0}: assigning a network card of the host as an interface is not supported, use "
               "<hostdev>",
               mac_text(nic))));
    case InterfaceType::internal: break;
    }
    return std::unexpected(
        unsupported(tr("network device type '{0}' is not supported by this hypervisor", type_text(nic))));
}

void add_offloads(object& props, const InterfaceDriver& driver) {
    const auto add = [&](const char* key, const std::optional<Switch>& value) {
        if (value) props[key] = *value == Switch::on;
    };
    if (driver.host) {
        add("csum", driver.host->csum);
        add("gso", driver.host->gso);
        add("host_tso4", driver.host->tso4);
        add("host_tso6", driver.host->tso6);
        add("host_ecn", driver.host->ecn);
        add("host_ufo", driver.host->ufo);
        add("mrg_rxbuf", driver.host->mrg_rxbuf);
    }
    if (driver.guest) {
        add("guest_csum", driver.guest->csum);
        add("guest_tso4", driver.guest->tso4);
        add("guest_tso6", driver.guest->tso6);
        add("guest_ecn", driver.guest->ecn);
        add("guest_ufo", driver.guest->ufo);
    }
}

void add_virtio(object& props, const Interface& nic) {
    if (!nic.driver) return;
    const auto& driver = *nic.driver;
    const auto add = [&](const char* key, const std::optional<Switch>& value) {
        if (value) props[key] = *value == Switch::on;
    };
    add_virtio_options(props, driver.virtio);
    if (driver.txmode && *driver.txmode != "default")
        props["tx"] = *driver.txmode == "iothread" ? "bh" : "timer";
    add("ioeventfd", driver.ioeventfd);
    add("event_idx", driver.event_idx);
    add_offloads(props, driver);
    if (const auto queues = queues_of(nic); queues > 1) {
        props["mq"] = true;
        props["vectors"] = 2 * queues + 2; // one each way per queue, one to configure, one for control
    }
    if (driver.rx_queue_size) props["rx_queue_size"] = *driver.rx_queue_size;
    if (driver.tx_queue_size) props["tx_queue_size"] = *driver.tx_queue_size;
    add("rss", driver.rss);
    add("hash", driver.rss_hash_report);
}

Result<object> card(const Interface& nic, const std::string& alias, const PlanContext& context) {
    const auto model = nic.model ? nic.model->type.value_or("rtl8139") : std::string("rtl8139");
    object props;
    if (is_virtio(nic)) {
        props["driver"] = virtio_pci_driver("virtio-net", model);
        add_virtio(props, nic);
        if (nic.mtu) props["host_mtu"] = nic.mtu->size;
        if (nic.teaming && nic.teaming->type == "persistent") props["failover"] = true;
    } else {
        props["driver"] = model;
    }
    props["netdev"] = "host" + alias;
    props["id"] = alias;
    props["mac"] = mac_text(nic);
    add_boot_index(props, boot_index(context.domain, nic));
    TRY(add_address(props, nic.info, context.domain));
    add_rom(props, nic.info);
    return props;
}

bool power_of_two(std::uint32_t n) { return (n & (n - 1)) == 0; }

void complete_model(Interface& nic, const QemuCaps* caps) {
    if (!nic.model) nic.model = InterfaceModel{};
    if (nic.model->type) return;
    if (*nic.type == InterfaceType::vdpa || (caps && !caps->has_type("rtl8139") && !caps->has_type("e1000")))
        nic.model->type = "virtio";
    else
        nic.model->type = !caps || caps->has_type("rtl8139") ? "rtl8139" : "e1000";
}

bool coalesces(const Coalesce& c) {
    return !c.rest.empty() || (c.rx && c.rx->frames && c.rx->frames->max.value_or(0) != 0);
}

} // namespace

template <> void complete(Interface& nic, const CompleteContext& context) {
    if (!nic.type) nic.type = InterfaceType::user;
    if (*nic.type != InterfaceType::hostdev) complete_model(nic, context.caps);
    if (*nic.type != InterfaceType::hostdev && !is_virtio(nic)) {
        nic.driver.reset(); // means nothing to other cards
        if (nic.backend) nic.backend->vhost.reset();
    }
    if (nic.backend && *nic.backend == InterfaceBackend{}) nic.backend.reset();
    if (nic.coalesce && !coalesces(*nic.coalesce)) nic.coalesce.reset();
    if (nic.driver) {
        if (nic.driver->queues.value_or(0) <= 1) nic.driver->queues.reset();
        if (nic.driver->rx_queue_size == 0u) nic.driver->rx_queue_size.reset();
        if (nic.driver->tx_queue_size == 0u) nic.driver->tx_queue_size.reset();
    }
    if (nic.target && !nic.target->dev && !nic.target->managed && nic.target->rest.empty())
        nic.target.reset();
}

template <> Result<> check(const Interface& nic, const CompleteContext&) {
    const auto type = nic.type.value_or(InterfaceType::user);
    const auto lacks = [&](const std::optional<std::string> InterfaceSource::* what) {
        return !nic.source || !((*nic.source).*what);
    };
    const auto missing = [&](const char* attribute) -> Result<> {
        return std::unexpected(
            malformed(tr("No <source> '{0}' attribute specified with <interface type='{1}'/>", attribute,
                         type_text(nic))));
    };
    if (type == InterfaceType::network && lacks(&InterfaceSource::network)) return missing("network");
    if (type == InterfaceType::bridge && lacks(&InterfaceSource::bridge)) return missing("bridge");
    if (type == InterfaceType::vdpa && lacks(&InterfaceSource::dev)) return missing("dev");
    if ((type == InterfaceType::client || type == InterfaceType::server || type == InterfaceType::mcast ||
         type == InterfaceType::udp) &&
        lacks(&InterfaceSource::port))
        return std::unexpected(malformed(tr("No <source> 'port' attribute specified with socket interface")));
    if (nic.mac && (nic.mac->address.bytes[0] & 1) != 0)
        return std::unexpected(
            malformed(tr("expected unicast mac address, found multicast '{0}'", mac_text(nic))));
    if (nic.model && nic.model->type &&
        nic.model->type->find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != std::string::npos)
        return fail(Code::invalid_arg, tr("Model name contains invalid characters"));
    if (type != InterfaceType::user && (!nic.ips.empty() || !nic.routes.empty()))
        return std::unexpected(unsupported(tr("Invalid attempt to set network interface guest-side IP route "
                                              "and/or address info, not supported by QEMU")));
    if (nic.driver) {
        if (nic.driver->rx_queue_size && !power_of_two(*nic.driver->rx_queue_size))
            return std::unexpected(unsupported(tr("rx_queue_size has to be a power of two")));
        if (nic.driver->tx_queue_size && !power_of_two(*nic.driver->tx_queue_size))
            return std::unexpected(unsupported(tr("tx_queue_size has to be a power of two")));
    }
    return {};
}

template <> Result<DevicePlan> plan(const Interface& nic, const PlanContext& context) {
    const auto alias = id_of(nic.info, "net", context.index);
    const auto why = "interface " + alias;
    DevicePlan out;
    auto netdev = TRY(backend(out, nic, alias, why, context));
    netdev["id"] = "host" + alias;
    out.items.push_back({"netdev", std::move(netdev), why});
    out.items.push_back({"device", TRY(card(nic, alias, context)), why});
    if (nic.link && nic.link->state == LinkStateValue::down)
        out.monitor_commands.emplace_back("set_link", object{{"name", alias}, {"up", false}});
    return out;
}

} // namespace cloister
