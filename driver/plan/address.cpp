#include "driver/plan/address.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/plan/controllers.hpp"
#include "driver/plan/usb.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace cloister {

namespace {

std::uint32_t index_of(const Controller& c) { return c.index ? c.index->value : 0; }

/// "sdb" -> 1: the letters behind the prefix, as a number.
std::optional<std::uint32_t> target_index(std::string_view name) {
    for (const std::string_view prefix : {"fd", "hd", "sd", "vd", "xvd", "ubd"}) {
        if (!name.starts_with(prefix)) continue;
        std::uint32_t value = 0;
        std::size_t i = prefix.size();
        for (; i < name.size() && name[i] >= 'a' && name[i] <= 'z'; ++i)
            value = value * 26 + static_cast<std::uint32_t>(name[i] - 'a') + 1;
        if (value > 0) return value - 1;
    }
    return std::nullopt;
}

bool wants(const DeviceInfo& info) {
    return !info.address || std::holds_alternative<std::monostate>(info.address->where);
}
void set(DeviceInfo& info, auto where) {
    if (info.address)
        info.address->where = std::move(where);
    else
        info.address = Address{.where = std::move(where)};
}

std::optional<ControllerType> controller_of(DiskBus bus) {
    switch (bus) {
    case DiskBus::ide: return ControllerType::ide;
    case DiskBus::fdc: return ControllerType::fdc;
    case DiskBus::scsi: return ControllerType::scsi;
    case DiskBus::sata: return ControllerType::sata;
    case DiskBus::virtio:
    case DiskBus::xen:
    case DiskBus::usb:
    case DiskBus::uml:
    case DiskBus::sd:
    case DiskBus::none: break;
    }
    return std::nullopt;
}

/// Where the target's name puts a disk on its bus.
std::optional<DriveAddress> drive_address(DiskBus bus, std::uint32_t index) {
    const auto at = [](std::uint32_t controller, std::uint32_t b, std::uint32_t unit) {
        return DriveAddress{.controller = controller, .bus = b, .target = 0, .unit = unit};
    };
    switch (bus) {
    case DiskBus::scsi: return at(index / 7, 0, index % 7);
    case DiskBus::ide: return at(index / 4, (index % 4) / 2, index % 2);
    case DiskBus::sata: return at(index / 6, 0, index % 6);
    case DiskBus::fdc: return at(index / 2, 0, index % 2);
    case DiskBus::virtio:
    case DiskBus::xen:
    case DiskBus::usb:
    case DiskBus::uml:
    case DiskBus::sd:
    case DiskBus::none: break;
    }
    return std::nullopt;
}

using Place = std::array<std::uint32_t, 4>;
Place place_of(const DriveAddress& a) {
    return {a.controller.value_or(0), a.bus.value_or(0), a.target.value_or(0), a.unit.value_or(0)};
}

Result<> assign_disks(Domain& domain) {
    std::map<ControllerType, std::map<Place, std::string>> taken;
    for (auto* disk : devices_of<Disk>(domain)) {
        const auto bus = disk->target.bus.value_or(DiskBus::ide);
        const auto type = controller_of(bus);
        if (!type) continue;
        if (wants(disk->info)) {
            const auto index = target_index(disk->target.dev.value_or(""));
            if (!index)
                return fail(Code::internal, tr("Unknown disk name '{0}' and no address specified",
                                               disk->target.dev.value_or("")));
            if (const auto address = drive_address(bus, *index)) set(disk->info, *address);
        }
        const auto* drive = address_of<DriveAddress>(disk->info);
        if (!drive) continue;
        const auto [first, free] = taken[*type].emplace(place_of(*drive), disk->target.dev.value_or(""));
        if (!free) {
            const auto& p = first->first;
            return fail(Code::config_unsupported,
                        tr("Found duplicate drive address for disk with target name '{0}' "
                           "controller='{1}' bus='{2}' target='{3}' unit='{4}'",
                           first->second, p[0], p[1], p[2], p[3]));
        }
    }
    for (const auto type :
         {ControllerType::scsi, ControllerType::fdc, ControllerType::ide, ControllerType::sata}) {
        std::optional<std::uint32_t> most;
        for (const auto* disk : devices_of<Disk>(std::as_const(domain)))
            if (const auto* drive = address_of<DriveAddress>(disk->info);
                drive && controller_of(disk->target.bus.value_or(DiskBus::ide)) == type)
                most = std::max(most.value_or(0), drive->controller.value_or(0));
        if (!most || *most > 255) continue;
        for (std::uint32_t i = 0; i <= *most; ++i) need_controller(domain, type, i);
    }
    return {};
}

/// Host SCSI units: the first free unit of the first controller that has one.
void assign_scsi_hostdevs(Domain& domain) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> taken;
    const auto note = [&](const DeviceInfo& info) {
        if (const auto* a = address_of<DriveAddress>(info))
            taken.emplace(a->controller.value_or(0), a->unit.value_or(0));
    };
    for (const auto* disk : devices_of<Disk>(domain))
        if (disk->target.bus == DiskBus::scsi) note(disk->info);
    std::uint32_t most = 0;
    bool any = false;
    for (auto* h : devices_of<Hostdev>(domain))
        if (std::holds_alternative<ScsiHostdev>(h->host)) note(h->info);
    for (auto* h : devices_of<Hostdev>(domain)) {
        if (!std::holds_alternative<ScsiHostdev>(h->host)) continue;
        if (wants(h->info)) {
            for (std::uint32_t n = 0;; ++n)
                if (taken.emplace(n / 7, n % 7).second) {
                    set(h->info, DriveAddress{.controller = n / 7, .bus = 0, .target = 0, .unit = n % 7});
                    break;
                }
        }
        if (const auto* a = address_of<DriveAddress>(h->info)) {
            most = std::max(most, a->controller.value_or(0));
            any = true;
        }
    }
    if (any && most < 256)
        for (std::uint32_t i = 0; i <= most; ++i) need_controller(domain, ControllerType::scsi, i);
}

/// QEMU's lsi53c895a unless a model was chosen; where the binary lacks it, virtio.
void choose_scsi_models(Domain& domain, const QemuCaps& caps) {
    for (auto* c : devices_of<Controller>(domain)) {
        if (c->type != ControllerType::scsi || (c->model && *c->model != "auto")) continue;
        c->model = caps.has_type("lsi53c895a") ? "lsilogic" : "virtio-scsi";
    }
}

// ---- virtio-serial ports -------------------------------------------------------------

constexpr std::uint32_t default_ports = 31;

class SerialPorts {
public:
    explicit SerialPorts(const Domain& domain) {
        for (const auto* c : devices_of<Controller>(domain))
            if (c->type == ControllerType::virtio_serial)
                limits_[index_of(*c)] = c->ports.value_or(default_ports);
    }
    bool any() const { return !limits_.empty(); }
    Result<> take(const VirtioSerialAddress& a) {
        if (!taken_.insert({a.controller.value_or(0), a.port.value_or(0)}).second)
            return fail(Code::xml, tr("virtio serial port {0} on controller {1} is already occupied",
                                      a.port.value_or(0), a.controller.value_or(0)));
        return {};
    }
    /// Port 0 is QEMU's own choice for consoles. `controller`: the one asked for; otherwise the first that
    /// has room, or a new one.
    std::optional<VirtioSerialAddress> next(std::optional<std::uint32_t> controller) {
        if (controller) return on(*controller);
        for (const auto& [c, limit] : limits_)
            if (auto place = on(c)) return place;
        for (std::uint32_t c = 0; c < 256; ++c)
            if (!limits_.contains(c)) {
                limits_[c] = default_ports;
                return on(c);
            }
        return std::nullopt;
    }

private:
    std::optional<VirtioSerialAddress> on(std::uint32_t c) {
        const auto limit = limits_.contains(c) ? limits_[c] : default_ports;
        for (std::uint32_t port = 1; port < limit; ++port)
            if (taken_.insert({c, port}).second) return VirtioSerialAddress{c, 0, port};
        return std::nullopt;
    }

    std::map<std::uint32_t, std::uint32_t> limits_{};
    std::set<std::pair<std::uint32_t, std::uint32_t>> taken_{};
};

/// Consoles keep the address that was written, and get none: QEMU chooses.
Result<> assign_virtio_serial(Domain& domain) {
    std::set<std::uint32_t> needed;
    SerialPorts ports(domain);
    std::vector<DeviceInfo*> channels;
    bool consoles = false;
    for_each<Console>(domain, [&](Console& c) {
        if (!c.target || c.target->type != ConsoleTargetType::virtio) return;
        if (const auto* a = address_of<VirtioSerialAddress>(c.info)) {
            needed.insert(a->controller.value_or(0));
            if (a->port) (void)ports.take(*a);
        }
        consoles = true;
    });
    for_each<Channel>(domain, [&](Channel& c) {
        if (c.target && std::holds_alternative<VirtioChannel>(c.target->kind)) channels.push_back(&c.info);
    });
    for (auto* info : channels) {
        const auto* a = address_of<VirtioSerialAddress>(*info);
        if (a && a->port.value_or(0) > 0) TRY(ports.take(*a));
    }
    for (auto* info : channels) {
        const auto* a = address_of<VirtioSerialAddress>(*info);
        if (!(a && a->port.value_or(0) > 0) && (a || wants(*info))) {
            const auto chosen = ports.next(a ? a->controller : std::nullopt);
            if (!chosen)
                return fail(Code::xml, tr("Unable to find a free virtio-serial port on controller {0}",
                                          a ? a->controller.value_or(0) : 0u));
            set(*info, *chosen);
        }
        if (const auto* now = address_of<VirtioSerialAddress>(*info))
            needed.insert(now->controller.value_or(0));
    }
    if (consoles && needed.empty() && !ports.any()) needed.insert(0);
    for (const auto c : needed)
        if (c < 256) need_controller(domain, ControllerType::virtio_serial, c);
    return {};
}

/// Each smart card has a slot of a CCID reader.
void assign_ccid(Domain& domain) {
    std::uint32_t next = 0;
    bool any = false;
    for_each<Smartcard>(domain, [&](Smartcard& card) {
        if (const auto* a = address_of<CcidAddress>(card.info))
            next = std::max(next, a->slot.value_or(0) + 1);
    });
    std::uint32_t most = 0;
    for_each<Smartcard>(domain, [&](Smartcard& card) {
        any = true;
        if (wants(card.info)) set(card.info, CcidAddress{.controller = 0, .slot = next++});
        if (const auto* a = address_of<CcidAddress>(card.info))
            most = std::max(most, a->controller.value_or(0));
    });
    if (any && most < 256)
        for (std::uint32_t i = 0; i <= most; ++i) need_controller(domain, ControllerType::ccid, i);
}

} // namespace

Result<> assign_bus_addresses(Domain& domain, const QemuCaps& caps, bool usb) {
    TRY(assign_disks(domain));
    assign_scsi_hostdevs(domain);
    choose_scsi_models(domain, caps);
    TRY(assign_virtio_serial(domain));
    assign_ccid(domain);
    const bool complete = std::ranges::none_of(domain.devices.list, [](const Device& device) {
        const auto* info = info_of(device);
        return is_usb(device) && info &&
               (!address_of<UsbAddress>(*info) || !address_of<UsbAddress>(*info)->port);
    });
    return usb || complete ? assign_usb_addresses(domain) : Result<>{};
}

} // namespace cloister
