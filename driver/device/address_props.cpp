#include "driver/device/address_props.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

bool machine_starts(const Domain& domain, std::initializer_list<std::string_view> heads) {
    if (!domain.os.type.machine) return false;
    const std::string_view machine = *domain.os.type.machine;
    for (const auto head : heads)
        if (machine == head || machine.starts_with(std::string(head) + "-")) return true;
    return false;
}

const Controller* find(const Domain& domain, ControllerType type, unsigned index) {
    const Controller* companion = nullptr;
    for (const auto& device : domain.devices.list)
        if (const auto* c = std::get_if<Controller>(&device))
            if (c->type == type && (c->index ? c->index->value : 0u) == index) {
                if (!c->master) return c; // USB 2's companions share the index of the one that has the bus
                if (!companion) companion = c;
            }
    return companion;
}

/// Which of <os><boot dev> a device is asked for: its place there, counted from 1; 0 when not listed.
std::uint32_t listed(const Domain& domain, BootDevice dev) {
    for (std::size_t i = 0; i < domain.os.boot.size(); ++i)
        if (domain.os.boot[i].dev == dev) return static_cast<std::uint32_t>(i + 1);
    return 0;
}

BootDevice boot_class(const Disk& disk) {
    switch (disk.device.value_or(DiskDevice::disk)) {
    case DiskDevice::cdrom: return BootDevice::cdrom;
    case DiskDevice::floppy: return BootDevice::fd;
    case DiskDevice::disk:
    case DiskDevice::lun: break;
    }
    return BootDevice::hd;
}

Error no_controller(std::string_view what, unsigned index) {
    return Error{.code = Code::internal,
                 .message = tr("Could not find {0} controller with index {1} required "
                               "for device",
                               what, index)};
}

} // namespace

bool is_q35(const Domain& domain) { return machine_starts(domain, {"q35", "pc-q35"}); }
bool is_i440fx(const Domain& domain) {
    return machine_starts(domain, {"pc", "pc-i440fx", "rhel"}) && !is_q35(domain);
}

bool is_builtin(const Domain& domain, const Controller& controller) {
    if (!controller.type) return false;
    const bool first = !controller.index || controller.index->value == 0;
    switch (*controller.type) {
    case ControllerType::ide: return first && is_i440fx(domain);
    case ControllerType::sata: return first && is_q35(domain);
    case ControllerType::pci: return controller.model == "pci-root" || controller.model == "pcie-root";
    case ControllerType::isa: return true;
    case ControllerType::fdc:
    case ControllerType::scsi:
    case ControllerType::virtio_serial:
    case ControllerType::ccid:
    case ControllerType::usb:
    case ControllerType::xenbus: break;
    }
    return false;
}

std::string controller_id(const Domain& domain, ControllerType type, unsigned index) {
    const auto* controller = find(domain, type, index);
    if (type == ControllerType::pci && index == 0 && controller && is_builtin(domain, *controller))
        return controller->model == "pcie-root" ? "pcie.0" : "pci.0"; // the machine names these, not an alias
    if (controller && controller->info.alias && !is_builtin(domain, *controller))
        return controller->info.alias->name;
    switch (type) {
    case ControllerType::pci:
        return fmt::format("{}.{}", index == 0 && is_q35(domain) ? "pcie" : "pci", index);
    case ControllerType::usb: return index == 0 ? "usb" : fmt::format("usb{}", index);
    case ControllerType::ide:
    case ControllerType::sata: {
        const bool builtin = index == 0 && (type == ControllerType::ide ? is_i440fx(domain) : is_q35(domain));
        return builtin ? "ide" : fmt::format("{}{}", names<ControllerType>.text(type), index);
    }
    case ControllerType::fdc:
    case ControllerType::scsi:
    case ControllerType::virtio_serial:
    case ControllerType::ccid:
    case ControllerType::xenbus:
    case ControllerType::isa: break;
    }
    return fmt::format("{}{}", names<ControllerType>.text(type), index);
}

std::string pci_slot(const PciAddress& address) {
    const auto slot = address.slot ? address.slot->value : 0u;
    const auto function = address.function ? address.function->value : 0u;
    return function == 0 ? fmt::format("{:#x}", slot) : fmt::format("{:#x}.{:#x}", slot, function);
}

std::string host_pci_name(const PciAddress& address) {
    return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", address.domain ? address.domain->value : 0u,
                       address.bus ? address.bus->value : 0u, address.slot ? address.slot->value : 0u,
                       address.function ? address.function->value : 0u);
}

Result<> add_address(boost::json::object& props, const DeviceInfo& info, const Domain& domain) {
    if (!info.address) return {};
    return std::visit(
        overload{
            [&](const PciAddress& pci) -> Result<> {
                const auto bus = pci.bus ? pci.bus->value : 0u;
                if (!find(domain, ControllerType::pci, bus))
                    return std::unexpected(no_controller("PCI", bus));
                props["bus"] = controller_id(domain, ControllerType::pci, bus);
                if (pci.multifunction == Switch::on) props["multifunction"] = true;
                props["addr"] = pci_slot(pci);
                if (info.acpi && info.acpi->index != 0) props["acpi-index"] = info.acpi->index;
                return {};
            },
            [&](const UsbAddress& usb) -> Result<> {
                const auto bus = usb.bus.value_or(0);
                if (!find(domain, ControllerType::usb, bus))
                    return std::unexpected(no_controller("USB", bus));
                props["bus"] = controller_id(domain, ControllerType::usb, bus) + ".0";
                if (usb.port) props["port"] = *usb.port;
                return {};
            },
            [&](const CcidAddress& ccid) -> Result<> {
                props["bus"] =
                    controller_id(domain, ControllerType::ccid, ccid.controller.value_or(0)) + ".0";
                return {};
            },
            [&](const IsaAddress& isa) -> Result<> {
                if (isa.iobase) props["iobase"] = isa.iobase->value;
                if (isa.irq) props["irq"] = isa.irq->value;
                return {};
            },
            [&](const DimmAddress& dimm) -> Result<> {
                if (dimm.slot) props["slot"] = *dimm.slot;
                if (dimm.base) props["addr"] = dimm.base->value;
                return {};
            },
            // Placed by the device that knows the bus's own rules (disks, ports), or of other machines.
            [](const auto&) -> Result<> { return {}; },
        },
        info.address->where);
}

void add_rom(boost::json::object& props, const DeviceInfo& info) {
    if (!info.rom) return;
    if (info.rom->enabled == YesNo::no) {
        props["romfile"] = "";
        return;
    }
    if (info.rom->bar) props["rombar"] = *info.rom->bar == Switch::on ? 1 : 0;
    if (info.rom->file) props["romfile"] = *info.rom->file;
}

void add_boot_index(boost::json::object& props, std::uint32_t index) {
    if (index != 0) props["bootindex"] = index;
}

void add_virtio_options(boost::json::object& props, const VirtioOptions& options) {
    const auto add = [&](const char* key, const std::optional<Switch>& value) {
        if (value) props[key] = *value == Switch::on;
    };
    add("iommu_platform", options.iommu);
    add("ats", options.ats);
    add("packed", options.packed);
    add("page-per-vq", options.page_per_vq);
}

std::string virtio_pci_driver(std::string_view family, const std::optional<std::string>& model) {
    if (model == "virtio-transitional") return fmt::format("{}-pci-transitional", family);
    if (model == "virtio-non-transitional") return fmt::format("{}-pci-non-transitional", family);
    return fmt::format("{}-pci", family);
}

std::uint32_t boot_index(const Domain& domain, const Disk& disk) {
    if (disk.info.boot) return disk.info.boot->order;
    const auto kind = boot_class(disk);
    const auto place = listed(domain, kind);
    if (place == 0) return 0;
    for (const auto* other : devices_of<Disk>(domain))
        if (boot_class(*other) == kind && !other->info.boot)
            return other == &disk || other->target.dev == disk.target.dev ? place : 0;
    return 0;
}

std::uint32_t boot_index(const Domain& domain, const Interface& interface) {
    if (interface.info.boot) return interface.info.boot->order;
    const auto place = listed(domain, BootDevice::network);
    if (place == 0) return 0;
    for (const auto* other : devices_of<Interface>(domain))
        if (!other->info.boot) return other == &interface || *other == interface ? place : 0;
    return 0;
}

} // namespace cloister
