#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/device.hpp"
#include "driver/device/disk_rules.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;
using Names2 = std::pair<std::string_view, std::string_view>;

constexpr auto usb_drivers = std::to_array<Names2>({
    {"piix3-uhci", "piix3-usb-uhci"},
    {"piix4-uhci", "piix4-usb-uhci"},
    {"ehci", "usb-ehci"},
    {"ich9-ehci1", "ich9-usb-ehci1"},
    {"ich9-uhci1", "ich9-usb-uhci1"},
    {"ich9-uhci2", "ich9-usb-uhci2"},
    {"ich9-uhci3", "ich9-usb-uhci3"},
    {"vt82c686b-uhci", "vt82c686b-usb-uhci"},
    {"pci-ohci", "pci-ohci"},
    {"nec-xhci", "nec-usb-xhci"},
    {"qemu-xhci", "qemu-xhci"},
});
constexpr auto scsi_drivers = std::to_array<Names2>({
    {"lsilogic", "lsi"},
    {"lsisas1068", "mptsas1068"},
    {"lsisas1078", "megasas"},
    {"vmpvscsi", "pvscsi"},
    {"ibmvscsi", "spapr-vscsi"},
    {"am53c974", "am53c974"},
    {"dc390", "dc390"},
    {"auto", "lsi"},
    {"virtio-scsi", "virtio-scsi-pci"},
    {"virtio-transitional", "virtio-scsi-pci-transitional"},
    {"virtio-non-transitional", "virtio-scsi-pci-non-transitional"},
    {"buslogic", ""},
    {"ncr53c90", ""},
});
/// Which port of a USB 2 controller its companions begin with.
constexpr auto companion_ports =
    std::to_array<Names2>({{"ich9-uhci1", "0"}, {"ich9-uhci2", "2"}, {"ich9-uhci3", "4"}});
/// Model -> the <model name> it gets when none was written.
constexpr auto pci_models = std::to_array<Names2>({
    {"pci-root", ""},
    {"pcie-root", ""},
    {"pci-bridge", "pci-bridge"},
    {"dmi-to-pci-bridge", "i82801b11-bridge"},
    {"pcie-to-pci-bridge", "pcie-pci-bridge"},
    {"pcie-root-port", "pcie-root-port"},
    {"pcie-switch-upstream-port", "x3130-upstream"},
    {"pcie-switch-downstream-port", "xio3130-downstream"},
    {"pci-expander-bus", "pxb"},
    {"pcie-expander-bus", "pxb-pcie"},
});

template <std::size_t N>
const Names2* find(const std::array<Names2, N>& table, const std::optional<std::string>& model) {
    for (const auto& entry : table)
        if (model == entry.first) return &entry;
    return nullptr;
}

unsigned index_of(const Controller& c) { return c.index ? c.index->value : 0; }

Error unsupported(std::string message) {
    return Error{.code = Code::config_unsupported, .message = std::move(message)};
}

/// QEMU lists its types by their own names; -device also takes the shorter ones that libvirt writes.
std::string_view qom_type(std::string_view driver) {
    return driver == "lsi" ? "lsi53c895a" : driver == "ahci" ? "ich9-ahci" : driver;
}

Result<> need(const PlanContext& context, std::string_view driver, std::string message) {
    if (context.caps.has_type(driver) || context.caps.has_type(qom_type(driver))) return {};
    return std::unexpected(unsupported(std::move(message)));
}

/// The index of the EHCI controller that a UHCI companion serves: the one with the same index.
bool is_companion(const Controller& c) { return c.master && c.model && c.model->starts_with("ich9-uhci"); }

Result<> plan_usb(const Controller& c, const std::string& id, const PlanContext& context, DevicePlan& out,
                  const std::string& why) {
    if (c.model == "none") return {};
    const auto* entry = find(usb_drivers, c.model ? c.model : std::optional<std::string>("piix3-uhci"));
    if (!entry) return fail(Code::config_unsupported, tr("Unsupported controller type: {0}", "usb"));
    TRY(need(context, entry->second,
             tr("USB controller model '{0}' not supported in this QEMU binary", entry->first)));
    object props{{"driver", entry->second}};
    if (c.ports && (c.model == "nec-xhci" || c.model == "qemu-xhci")) {
        props["p2"] = *c.ports;
        props["p3"] = *c.ports;
    }
    if (is_companion(c)) {
        props["masterbus"] = controller_id(context.domain, ControllerType::usb, index_of(c)) + ".0";
        props["firstport"] = c.master->startport;
    } else {
        props["id"] = id;
    }
    TRY(add_address(props, c.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return {};
}

void add_scsi_driver(object& props, const Controller& c) {
    if (!c.driver) return;
    if (c.driver->queues) props["num_queues"] = *c.driver->queues;
    if (c.driver->cmd_per_lun) props["cmd_per_lun"] = *c.driver->cmd_per_lun;
    if (c.driver->max_sectors) props["max_sectors"] = *c.driver->max_sectors;
    if (c.driver->ioeventfd) props["ioeventfd"] = *c.driver->ioeventfd == Switch::on;
}

Result<> plan_scsi(const Controller& c, const std::string& id, const PlanContext& context, DevicePlan& out,
                   const std::string& why) {
    const auto* entry = find(scsi_drivers, c.model);
    if (!entry || entry->second.empty())
        return fail(Code::config_unsupported, tr("Unsupported controller model: {0}", c.model.value_or("")));
    const bool spapr = c.model == "ibmvscsi"; // has no PCI address, and only another machine could start it
    if (!spapr)
        TRY(need(context, entry->second,
                 tr("This QEMU doesn't support the {0} SCSI controller", c.model.value_or(""))));
    object props{{"driver", entry->second}};
    if (c.driver) {
        if (c.driver->iothread) props["iothread"] = fmt::format("iothread{}", *c.driver->iothread);
        add_virtio_options(props, c.driver->virtio);
    }
    props["id"] = id;
    add_scsi_driver(props, c);
    if (spapr)
        props["reg"] = 0x2000;
    else
        TRY(add_address(props, c.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return {};
}

Result<> plan_pci(const Controller& c, const std::string& id, const PlanContext& context, DevicePlan& out,
                  const std::string& why) {
    if (is_builtin(context.domain, c)) {
        if (c.target && c.target->hotplug && is_i440fx(context.domain))
            out.items.push_back(
                {"global",
                 fmt::format("PIIX4_PM.acpi-root-pci-hotplug={}", names<Switch>.text(*c.target->hotplug)),
                 why});
        if (c.pcihole64)
            out.items.push_back({"global",
                                 fmt::format("{}-pcihost.pci-hole64-size={}K",
                                             is_q35(context.domain) ? "q35" : "i440FX", c.pcihole64->kib),
                                 why});
        return {};
    }
    const auto* entry = find(pci_models, c.model);
    if (!entry) return fail(Code::internal, tr("Unknown PCI controller model '{0}'", c.model.value_or("")));
    const std::string driver(c.model_name && c.model_name->name ? std::string_view(*c.model_name->name)
                                                                : entry->second);
    TRY(need(context, driver,
             tr("The '{0}' device ('{1}' controller) is not supported by this QEMU binary", driver,
                c.model.value_or(""))));
    object props{{"driver", driver}};
    const auto& t = c.target;
    const auto model = c.model.value_or("");
    if (model == "pcie-root-port" || model == "pcie-switch-downstream-port") {
        if (t && t->port) props["port"] = t->port->value;
        if (t && t->chassis) props["chassis"] = t->chassis->value;
    } else if (model == "pci-bridge") {
        if (t && t->chassis_nr) props["chassis_nr"] = t->chassis_nr->value;
    } else if (model.ends_with("-expander-bus")) {
        if (t && t->bus_nr) props["bus_nr"] = t->bus_nr->value;
    }
    props["id"] = id;
    if (model.ends_with("-expander-bus") && t && t->node) props["numa_node"] = *t->node;
    if (t && t->hotplug) props["hotplug"] = *t->hotplug == Switch::on;
    TRY(add_address(props, c.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return {};
}

/// The floppy controller: pc has one; q35 gets it as a device. It carries its drives' boot order.
void plan_fdc(const PlanContext& context, DevicePlan& out, const std::string& why) {
    object props{{"driver", "isa-fdc"}};
    for (const auto* disk : devices_of<Disk>(context.domain)) {
        if (disk->target.bus != DiskBus::fdc) continue;
        const auto* place = address_of<DriveAddress>(disk->info);
        const auto boot = boot_index(context.domain, *disk);
        if (boot == 0) continue;
        const auto* key = place && place->unit.value_or(0) == 1 ? "bootindexB" : "bootindexA";
        if (is_q35(context.domain))
            props[key] = boot;
        else
            out.items.push_back({"global", fmt::format("isa-fdc.{}={}", key, boot), why});
    }
    if (is_q35(context.domain)) out.items.push_back({"device", std::move(props), why});
}

Result<> simple(std::string_view driver, const Controller& c, const std::string& id,
                const PlanContext& context, DevicePlan& out, const std::string& why) {
    object props{{"driver", driver}};
    if (c.driver) {
        if (c.driver->iothread) props["iothread"] = fmt::format("iothread{}", *c.driver->iothread);
        add_virtio_options(props, c.driver->virtio);
    }
    props["id"] = id;
    if (c.type == ControllerType::virtio_serial) {
        if (c.ports) props["max_ports"] = *c.ports;
        if (c.vectors) props["vectors"] = *c.vectors;
    }
    TRY(add_address(props, c.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return {};
}

Result<> check_pci(const Controller& c, const CompleteContext& context) {
    if (c.model && !find(pci_models, c.model))
        return fail(Code::internal, tr("Unknown model type '{0}'", *c.model));
    if (c.model == "pcie-expander-bus" && !is_q35(context.domain))
        return std::unexpected(
            unsupported(tr("{0} controllers are not supported with this machine type", *c.model)));
    if (c.model == "pci-expander-bus" && !is_i440fx(context.domain))
        return std::unexpected(
            unsupported(tr("{0} controllers are not supported with this machine type", *c.model)));
    return {};
}

Result<> check_usb(const Controller& c, const CompleteContext& context) {
    if (c.model && *c.model != "none" && *c.model != "default" && !find(usb_drivers, c.model))
        return fail(Code::internal, tr("Unknown model type '{0}'", *c.model));
    if ((c.model == "nec-xhci" || c.model == "qemu-xhci") && c.ports.value_or(0) > 15)
        return std::unexpected(
            unsupported(tr("'{0}' controller only supports up to '{1}' ports", *c.model, 15)));
    if (!is_companion(c)) return {};
    for (const auto* other : devices_of<Controller>(context.domain))
        if (other->type == ControllerType::usb && index_of(*other) == index_of(c) && !other->master)
            return {};
    return fail(Code::xml_detail, tr("No master USB controller specified"));
}

bool is_usb2(const Controller& c) {
    return c.type == ControllerType::usb && c.model && c.model->starts_with("ich9-");
}

/// The lowest index that is free; but the parts of one USB 2 controller, written one after the other, share
/// theirs.
std::uint32_t free_index(const Controller& c, const Domain& domain) {
    const auto all = devices_of<Controller>(domain);
    const auto taken = [&](std::uint32_t index, const std::optional<std::string>* model) {
        return std::ranges::any_of(all, [&](const Controller* o) {
            return o != &c && o->type == c.type && o->index && o->index->value == index &&
                   (!model || o->model == *model);
        });
    };
    if (is_usb2(c)) {
        const Controller* before = nullptr;
        for (const auto* o : all) {
            if (o == &c) break;
            before = o;
        }
        if (before && is_usb2(*before) && before->index && !taken(before->index->value, &c.model))
            return before->index->value;
    }
    std::uint32_t index = 0;
    while (taken(index, nullptr)) ++index;
    return index;
}

} // namespace

template <> void complete(Controller& c, const CompleteContext& context) {
    if (!c.type) return;
    if (!c.index) c.index = xml::Decimal{free_index(c, context.domain)};
    switch (*c.type) {
    case ControllerType::usb:
        if (c.model == "default") c.model.reset();
        if (!c.model && context.caps && context.caps->has_type("piix3-usb-uhci")) c.model = "piix3-uhci";
        if (const auto* port = find(companion_ports, c.model); port && !c.master)
            c.master = ControllerMaster{.startport = static_cast<std::uint32_t>(port->second.front() - '0')};
        break;
    case ControllerType::scsi:
        if (c.model == "auto") c.model.reset();
        if (!c.model) c.model = "lsilogic";
        if (c.model == "ibmvscsi" && !c.info.address) {
            c.info.address = Address{};
            c.info.address->where = SpaprVioAddress{.reg = xml::LongHex<8>{0x2000}};
        }
        break;
    case ControllerType::pci:
        if (c.model && !c.model_name)
            if (const auto* entry = find(pci_models, c.model); entry && !entry->second.empty())
                c.model_name = ControllerModelName{.name = std::string(entry->second)};
        break;
    case ControllerType::ide:
    case ControllerType::fdc:
    case ControllerType::sata:
    case ControllerType::virtio_serial:
    case ControllerType::ccid:
    case ControllerType::xenbus:
    case ControllerType::isa: break;
    }
}

template <> Result<> check(const Controller& c, const CompleteContext& context) {
    if (!c.type)
        return fail(Code::xml, tr("Missing required attribute '{0}' in element '{1}'", "type", "controller"));
    for (const auto* other : devices_of<Controller>(context.domain)) {
        if (other == &c) break;
        // the companions of one USB 2 controller share its index
        if (other->type == c.type && index_of(*other) == index_of(c) &&
            !(is_companion(c) || is_companion(*other)))
            return fail(Code::xml, tr("Multiple '{0}' controllers with index '{1}'",
                                      names<ControllerType>.text(*c.type), index_of(c)));
    }
    switch (*c.type) {
    case ControllerType::pci: return check_pci(c, context);
    case ControllerType::usb: return check_usb(c, context);
    case ControllerType::scsi:
        if (c.model && !find(scsi_drivers, c.model))
            return fail(Code::internal, tr("Unknown model type '{0}'", *c.model));
        if (c.driver && c.driver->iothread) {
            if (!has_iothread(context.domain, *c.driver->iothread))
                return std::unexpected(unsupported(
                    tr("controller iothread '{0}' not defined in iothreadid", *c.driver->iothread)));
            if (!c.model || !c.model->starts_with("virtio"))
                return std::unexpected(
                    unsupported(tr("'iothread' attribute only supported for model '{0}'", "virtio-scsi")));
        }
        return {};
    case ControllerType::xenbus:
        return std::unexpected(unsupported(tr("Unsupported controller type: {0}", "xenbus")));
    case ControllerType::ide:
    case ControllerType::fdc:
    case ControllerType::sata:
    case ControllerType::virtio_serial:
    case ControllerType::ccid:
    case ControllerType::isa: break;
    }
    return {};
}

template <> Result<DevicePlan> plan(const Controller& c, const PlanContext& context) {
    DevicePlan out;
    if (!c.type) return out;
    const auto id = c.info.alias ? c.info.alias->name : controller_id(context.domain, *c.type, index_of(c));
    const auto why = fmt::format("controller {} {}", names<ControllerType>.text(*c.type), index_of(c));
    switch (*c.type) {
    case ControllerType::pci: TRY(plan_pci(c, id, context, out, why)); break;
    case ControllerType::usb: TRY(plan_usb(c, id, context, out, why)); break;
    case ControllerType::scsi: TRY(plan_scsi(c, id, context, out, why)); break;
    case ControllerType::fdc: plan_fdc(context, out, why); break;
    case ControllerType::virtio_serial:
        TRY(simple(virtio_pci_driver("virtio-serial", c.model), c, id, context, out, why));
        break;
    case ControllerType::ccid: TRY(simple("usb-ccid", c, id, context, out, why)); break;
    case ControllerType::sata:
        if (is_builtin(context.domain, c)) break;
        TRY(need(context, "ich9-ahci", tr("SATA is not supported with this QEMU binary")));
        TRY(simple("ahci", c, id, context, out, why));
        break;
    case ControllerType::ide:
        if (is_builtin(context.domain, c)) break;
        return fail(Code::config_unsupported,
                    is_i440fx(context.domain)
                        ? tr("Only a single IDE controller is supported for this machine type")
                        : tr("IDE controllers are unsupported for this QEMU binary or machine type"));
    case ControllerType::isa: break;
    case ControllerType::xenbus:
        return fail(Code::config_unsupported, tr("Unsupported controller type: {0}", "xenbus"));
    }
    return out;
}

} // namespace cloister
