#include "driver/plan/usb.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cloister {

namespace {

constexpr std::uint32_t hub_ports = 8;

std::uint32_t port_count(const Controller& c) {
    const auto model = c.model.value_or("piix3-uhci");
    if (model == "qemu-xhci") return c.ports.value_or(4);
    if (model == "nec-xhci") return c.ports.value_or(4);
    if (model == "ehci" || model == "ich9-ehci1") return 6;
    if (model == "pci-ohci") return 3;
    if (model == "none") return 0;
    return 2;
}

bool wants(const DeviceInfo& info) {
    if (!info.address || std::holds_alternative<std::monostate>(info.address->where)) return true;
    const auto* usb = address_of<UsbAddress>(info);
    return usb && !usb->port;
}

/// Buses and ports as "BUS:PORT", where a port behind hubs reads "1.2".
class UsbPorts {
public:
    explicit UsbPorts(const Domain& domain) {
        for (const auto* c : devices_of<Controller>(domain)) {
            if (c->type != ControllerType::usb || c->master) continue;
            const auto bus = c->index ? c->index->value : 0;
            for (std::uint32_t p = 1; p <= port_count(*c); ++p) free_[bus].push_back(std::to_string(p));
            if (port_count(*c) > 0) any_ = true;
        }
    }
    bool any() const { return any_; }
    std::size_t left() const {
        std::size_t n = 0;
        for (const auto& [bus, ports] : free_) n += ports.size();
        return n;
    }
    Result<> take(std::uint32_t bus, const std::string& port) {
        if (!free_.contains(bus)) return fail(Code::xml, tr("Missing USB bus {0}", bus));
        auto& ports = free_[bus];
        const auto at = std::find(ports.begin(), ports.end(), port);
        if (at == ports.end()) {
            if (taken_.contains({bus, port}))
                return fail(Code::xml, tr("Duplicate USB address bus {0} port {1}", bus, port));
            return fail(Code::xml, tr("requested USB port {0} not present on USB bus {1}", port, bus));
        }
        ports.erase(at);
        taken_.insert({bus, port});
        return {};
    }
    void add_hub(std::uint32_t bus, const std::string& port) {
        for (std::uint32_t p = 1; p <= hub_ports; ++p)
            if (auto name = fmt::format("{}.{}", port, p); !taken_.contains({bus, name}))
                free_[bus].push_back(std::move(name));
    }
    std::optional<UsbAddress> next(std::optional<std::uint32_t> wanted) {
        for (auto& [bus, ports] : free_) {
            if ((wanted && bus != *wanted) || ports.empty()) continue;
            const auto port = ports.front();
            ports.erase(ports.begin());
            taken_.insert({bus, port});
            return UsbAddress{.bus = bus, .port = port};
        }
        return std::nullopt;
    }

private:
    std::map<std::uint32_t, std::vector<std::string>> free_{};
    std::set<std::pair<std::uint32_t, std::string>> taken_{};
    bool any_ = false;
};

/// In the order in which ports are handed out.
std::vector<DeviceInfo*> usb_devices(Domain& domain) {
    std::vector<DeviceInfo*> out;
    const auto add = [&]<class D>(std::type_identity<D>) {
        for (auto& device : domain.devices.list)
            if (std::holds_alternative<D>(device) && is_usb(device)) out.push_back(info_of(device));
    };
    add(std::type_identity<Disk>{});
    add(std::type_identity<Interface>{});
    add(std::type_identity<Hub>{});
    add(std::type_identity<Controller>{});
    add(std::type_identity<Hostdev>{});
    add(std::type_identity<Sound>{});
    add(std::type_identity<Input>{});
    add(std::type_identity<Serial>{});
    add(std::type_identity<Redirdev>{});
    return out;
}

Result<> take_explicit(UsbPorts& ports, Domain& domain) {
    // a hub behind another comes after it, whatever the order of the text
    std::vector<const UsbAddress*> hubs;
    for (auto* hub : devices_of<Hub>(domain))
        if (const auto* a = address_of<UsbAddress>(hub->info); a && a->port) hubs.push_back(a);
    std::ranges::stable_sort(hubs, {}, [](const UsbAddress* a) { return a->port->size(); });
    for (const auto* a : hubs) {
        TRY(ports.take(a->bus.value_or(0), *a->port));
        ports.add_hub(a->bus.value_or(0), *a->port);
    }
    for (auto& device : domain.devices.list) {
        const auto* info = info_of(device);
        if (!is_usb(device) || std::holds_alternative<Hub>(device)) continue;
        if (const auto* a = address_of<UsbAddress>(*info); a && a->port)
            TRY(ports.take(a->bus.value_or(0), *a->port));
    }
    return {};
}

void place(DeviceInfo& info, UsbAddress address) {
    if (info.address)
        info.address->where = std::move(address);
    else
        info.address = Address{.where = std::move(address)};
}

Result<> give(DeviceInfo& info, UsbPorts& ports) {
    const auto* usb = address_of<UsbAddress>(info);
    auto chosen = ports.next(usb ? usb->bus : std::nullopt);
    if (!chosen) return fail(Code::internal, tr("No free USB ports"));
    place(info, std::move(*chosen));
    return {};
}

} // namespace

bool is_usb(const Device& device) {
    return std::visit(
        overload{
            [](const Disk& d) { return d.target.bus == DiskBus::usb; },
            [](const Controller& c) { return c.type == ControllerType::ccid; },
            [](const Interface& i) { return i.model && i.model->type == "usb-net"; },
            [](const Input& i) { return i.bus == InputBus::usb; },
            [](const Sound& s) { return s.model == SoundModel::usb; },
            [](const Hostdev& h) { return std::holds_alternative<UsbHostdev>(h.host); },
            [](const Redirdev& r) { return r.bus.value_or(RedirBus::usb) == RedirBus::usb; },
            [](const Hub&) { return true; },
            [](const Serial& s) { return s.target && s.target->type == SerialTargetType::usb_serial; },
            [](const auto&) { return false; },
        },
        device);
}

Result<> assign_usb_addresses(Domain& domain) {
    UsbPorts ports(domain);
    if (!ports.any()) return {};
    TRY(take_explicit(ports, domain));
    std::size_t needed = 0;
    for (const auto* info : usb_devices(domain))
        if (wants(*info)) ++needed;
    if (needed > ports.left()) {
        // each hub takes one port and gives eight
        const auto hubs = (needed - ports.left() + hub_ports - 2) / (hub_ports - 1);
        for (std::size_t i = 0; i < hubs; ++i) {
            Hub hub{};
            TRY(give(hub.info, ports));
            const auto* a = address_of<UsbAddress>(hub.info);
            ports.add_hub(a->bus.value_or(0), *a->port);
            domain.devices.list.emplace_back(std::move(hub));
        }
    }
    for (auto& device : domain.devices.list)
        if (auto* hub = std::get_if<Hub>(&device); hub && wants(hub->info)) {
            TRY(give(hub->info, ports));
            const auto* a = address_of<UsbAddress>(hub->info);
            ports.add_hub(a->bus.value_or(0), *a->port);
        }
    for (auto* info : usb_devices(domain))
        if (wants(*info)) TRY(give(*info, ports));
    return {};
}

Result<> assign_usb_address(Device& device, const Domain& domain) {
    auto copy = domain;
    UsbPorts ports(copy);
    TRY(take_explicit(ports, copy));
    auto* info = info_of(device);
    if (!wants(*info))
        return ports.take(address_of<UsbAddress>(*info)->bus.value_or(0),
                          *address_of<UsbAddress>(*info)->port);
    return give(*info, ports);
}

} // namespace cloister
