#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/blockdev.hpp"
#include "driver/device/blockdev_network.hpp"
#include "driver/device/chardev.hpp"
#include "driver/device/disk_rules.hpp"
#include "driver/device/secret.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;

Error unsupported(std::string message) {
    return Error{.code = Code::config_unsupported, .message = std::move(message)};
}
Error malformed(std::string message) {
    return Error{.code = Code::xml, .message = std::move(message), .domain = ErrorDomain::domain};
}

/// Where the device node of a USB device stands.
struct UsbPlace {
    unsigned bus = 0, device = 0;
};

Result<UsbPlace> usb_place(const UsbHostSource& source, const HostFacts& facts) {
    if (source.address && source.address->bus && source.address->device)
        return UsbPlace{source.address->bus->value, source.address->device->value};
    if (!source.vendor || !source.product) return std::unexpected(malformed(tr("usb product id is missing")));
    const auto vendor = source.vendor->id.value, product = source.product->id.value;
    const UsbFact* found = nullptr;
    for (const auto& fact : facts.usb_devices) {
        if (fact.vendor != vendor || fact.product != product) continue;
        if (found)
            return fail(
                Code::operation_failed,
                tr("Multiple USB devices for {0:x}:{1:x}, use <address> to specify one", vendor, product));
        found = &fact;
    }
    if (!found) return fail(Code::internal, tr("Did not find USB device {0:x}:{1:x}", vendor, product));
    return UsbPlace{found->bus, found->device};
}

struct Planner {
    const Hostdev& hostdev;
    const PlanContext& context;
    std::string alias{}, why{};
    DevicePlan out{};

    /// The address, the boot order and the option ROM, and the item itself.
    Result<> finish(object props) {
        if (hostdev.info.boot) add_boot_index(props, hostdev.info.boot->order);
        TRY(add_address(props, hostdev.info, context.domain));
        add_rom(props, hostdev.info);
        out.items.push_back({"device", std::move(props), why});
        return {};
    }

    Result<> operator()(const UsbHostdev& usb) {
        if (!usb.source) return std::unexpected(malformed(tr("missing source address")));
        const auto place = usb_place(*usb.source, context.facts);
        if (!place) {
            // the definition may say that the guest starts without it
            if (usb.source->startup_policy == "optional") return {};
            return std::unexpected(place.error());
        }
        const auto node = fmt::format("/dev/bus/usb/{:03}/{:03}", place->bus, place->device);
        out.grants.push_back({.path = node,
                              .kind = Kind::char_device,
                              .access = Access::read_write,
                              .sharing = hostdev.shareable ? Sharing::shared : Sharing::exclusive,
                              .why = why});
        object props{{"driver", "usb-host"}, {"hostdevice", node}, {"id", alias}};
        if (usb.source->guest_reset) {
            props["guest-reset"] = *usb.source->guest_reset != "off";
            if (*usb.source->guest_reset != "off")
                props["guest-resets-all"] = *usb.source->guest_reset == "on";
        }
        return finish(std::move(props));
    }

    Result<> operator()(const PciHostdev& pci) {
        if (!pci.source || !pci.source->address)
            return std::unexpected(malformed(tr("missing source address")));
        if (pci.driver && pci.driver->name && *pci.driver->name != "vfio")
            return std::unexpected(unsupported(
                tr("host doesn't support passthrough of host PCI devices by '{0}'", *pci.driver->name)));
        const auto& address = pci.source->address->pci;
        TRY(check_kept_apart(address, context, why));
        add_vfio_grants(out, address, context, why);
        object props{{"driver", "vfio-pci"}, {"host", host_pci_name(address)}, {"id", alias}};
        if (hostdev.teaming && hostdev.teaming->persistent)
            props["failover_pair_id"] = *hostdev.teaming->persistent;
        return finish(std::move(props));
    }

    Result<> operator()(const MdevHostdev& mdev) {
        if (!mdev.source || !mdev.source->address || !mdev.source->address->uuid)
            return std::unexpected(malformed(tr("Missing 'uuid' attribute for element <address>")));
        if (hostdev.model != "vfio-pci")
            return std::unexpected(unsupported(
                tr("VFIO device assignment of model '{0}' is not supported by this version of QEMU",
                   hostdev.model.value_or(""))));
        const auto uuid = printed(*mdev.source->address->uuid);
        const auto group = context.facts.iommu_groups.find(uuid);
        out.grants.push_back({.path = "/dev/vfio/vfio",
                              .kind = Kind::char_device,
                              .access = Access::read_write,
                              .sharing = Sharing::shared,
                              .keep_owner = true,
                              .why = why});
        if (group != context.facts.iommu_groups.end())
            out.grants.push_back({.path = fmt::format("/dev/vfio/{}", group->second),
                                  .kind = Kind::char_device,
                                  .access = Access::read_write,
                                  .why = why});
        const bool ramfb = hostdev.ramfb == Switch::on;
        object props{{"driver", ramfb ? "vfio-pci-nohotplug" : "vfio-pci"},
                     {"id", alias},
                     {"sysfsdev", "/sys/bus/mdev/devices/" + uuid}};
        if (hostdev.display) props["display"] = names<Switch>.text(*hostdev.display);
        if (ramfb) props["ramfb"] = true;
        return finish(std::move(props));
    }

    Result<> operator()(const VhostScsiHostdev& vhost) {
        if (!vhost.source || !vhost.source->wwpn)
            return std::unexpected(malformed(tr("missing 'wwpn' for vhost-scsi")));
        const auto symbol = "vhostscsi-" + alias;
        out.descriptors.push_back(
            {symbol, OpenedFile{.path = "/dev/vhost-scsi", .access = Access::read_write}, why});
        return finish(object{{"driver", virtio_pci_driver("vhost-scsi", hostdev.model)},
                             {"wwpn", *vhost.source->wwpn},
                             {"vhostfd", fd_symbol(symbol)},
                             {"id", alias}});
    }

    Result<> operator()(const ScsiHostdev& scsi) {
        if (!scsi.source) return std::unexpected(malformed(tr("missing source address")));
        const auto node = node_name(number(), "backend");
        auto storage = TRY(scsi.source->protocol ? iscsi(*scsi.source, node) : local(*scsi.source));
        storage["node-name"] = node;
        storage["read-only"] = hostdev.readonly;
        out.items.push_back({"blockdev", std::move(storage), why});

        const auto* place = address_of<DriveAddress>(hostdev.info);
        const auto controller = place ? place->controller.value_or(0) : 0u;
        object props{{"driver", "scsi-generic"}};
        if (hostdev.shareable) props["share-rw"] = true;
        props["drive"] = node;
        props["id"] = alias;
        props["bus"] = controller_id(context.domain, ControllerType::scsi, controller) + ".0";
        if (scsi_model(context.domain, controller) == "lsilogic") {
            props["scsi-id"] = place ? place->unit.value_or(0) : 0u;
        } else {
            props["channel"] = place ? place->bus.value_or(0) : 0u;
            props["scsi-id"] = place ? place->target.value_or(0) : 0u;
            props["lun"] = place ? place->unit.value_or(0) : 0u;
        }
        return finish(std::move(props));
    }

private:
    /// Host units are counted after the images of all disks.
    std::uint32_t number() const {
        std::uint32_t before = 0;
        bool seen = false;
        for (const auto& device : context.domain.devices.list) {
            if (const auto* disk = std::get_if<Disk>(&device))
                before += std::max<std::uint32_t>(1, static_cast<std::uint32_t>(images(*disk).size()));
            if (const auto* other = std::get_if<Hostdev>(&device)) {
                seen = seen || other == &hostdev || *other == hostdev;
                if (!seen && std::holds_alternative<ScsiHostdev>(other->host)) ++before;
            }
        }
        return before + 1;
    }

    Result<object> iscsi(const ScsiHostSource& from, const std::string& node) {
        Source source{.protocol = from.protocol,
                      .name = from.name,
                      .hosts = from.hosts,
                      .initiator = from.initiator,
                      .auth = from.auth};
        for (auto& host : source.hosts)
            if (!host.port) host.port = "3260";
        const NodeNames node_set{.storage = node, .auth_secret = node + "-secret0"};
        if (source.auth) {
            const auto value = TRY(secret_value(source.auth->secret, "iscsi", context.reserved));
            out.items.push_back(TRY(secret_object(node_set.auth_secret, value, context.reserved, why)));
        }
        return network_driver(source, node_set, context.conf);
    }

    Result<object> local(const ScsiHostSource& from) {
        if (!from.adapter || !from.adapter->name || !from.address)
            return std::unexpected(malformed(tr("'adapter' must be specified for scsi hostdev source")));
        auto host = *from.adapter->name;
        if (host.starts_with("scsi_host")) host.erase(0, 9);
        const auto address = fmt::format(
            "{}:{}:{}:{}", host, from.address->bus ? from.address->bus->value : 0u,
            from.address->target ? from.address->target->value : 0u, from.address->unit.value_or(0));
        const auto found = context.facts.scsi_generic.find(address);
        if (found == context.facts.scsi_generic.end())
            return fail(Code::system, tr("the host has no SCSI unit {0}", address));
        out.grants.push_back({.path = found->second,
                              .kind = Kind::char_device,
                              .access = hostdev.readonly ? Access::read : Access::read_write,
                              .sharing = hostdev.shareable ? Sharing::shared : Sharing::exclusive,
                              .why = why});
        return object{{"driver", "host_device"}, {"filename", found->second}};
    }
};

/// True when both stand for the same device of the host.
bool same_source(const Hostdev& a, const Hostdev& b) {
    if (a.host.index() != b.host.index()) return false;
    if (const auto* usb = std::get_if<UsbHostdev>(&a.host)) {
        const auto& other = std::get<UsbHostdev>(b.host);
        if (!usb->source || !other.source) return false;
        if (usb->source->address || other.source->address)
            return usb->source->address == other.source->address;
        return usb->source->vendor == other.source->vendor && usb->source->product == other.source->product;
    }
    return a.host == b.host;
}

Result<> check_mdev(const Hostdev& hostdev, const Domain& domain) {
    if (hostdev.model == "vfio-pci" && hostdev.info.address && !address_of<PciAddress>(hostdev.info) &&
        hostdev.info.address->where.index() != 0) {
        const bool drive = address_of<DriveAddress>(hostdev.info) != nullptr;
        return std::unexpected(malformed(tr("Unsupported address type '{0}' with mediated device model '{1}'",
                                            drive ? "drive" : "ccw", "vfio-pci")));
    }
    if (hostdev.display == Switch::on && devices_of<Graphics>(domain).empty())
        return std::unexpected(
            unsupported(tr("graphics device is needed for attribute value 'display=on' in <hostdev>")));
    if (hostdev.ramfb == Switch::on)
        for (const auto* other : devices_of<Hostdev>(domain)) {
            if (other == &hostdev) break;
            if (other->ramfb == Switch::on)
                return std::unexpected(unsupported(tr("Only one vgpu device can have 'ramfb' enabled")));
        }
    return {};
}

Result<> check_scsi(const Hostdev& hostdev, const Domain& domain) {
    const auto* place = address_of<DriveAddress>(hostdev.info);
    if (!place) return {};
    for (const auto* other : devices_of<Hostdev>(domain)) {
        if (other == &hostdev) break;
        const auto* theirs = address_of<DriveAddress>(other->info);
        if (theirs && std::holds_alternative<ScsiHostdev>(other->host) && *theirs == *place)
            return std::unexpected(unsupported(tr("SCSI host address controller='{0}' bus='{1}' target='{2}' "
                                                  "unit='{3}' in use by another SCSI host device",
                                                  place->controller.value_or(0), place->bus.value_or(0),
                                                  place->target.value_or(0), place->unit.value_or(0))));
    }
    return {};
}

} // namespace

template <> void complete(Hostdev& hostdev, const CompleteContext&) {
    if (!hostdev.mode) hostdev.mode = HostdevMode::subsystem;
    if (!hostdev.managed) hostdev.managed = YesNo::no;
    if (auto* scsi = std::get_if<ScsiHostdev>(&hostdev.host);
        scsi && scsi->source && scsi->source->protocol == "iscsi" && scsi->source->name &&
        scsi->source->name->find('/') == std::string::npos)
        *scsi->source->name += "/0"; // the unit, when only the target was named
    if (std::holds_alternative<MdevHostdev>(hostdev.host) && hostdev.model == "vfio-pci" && !hostdev.display)
        hostdev.display = Switch::off;
}

template <> Result<> check(const Hostdev& hostdev, const CompleteContext& context) {
    if (hostdev.mode == HostdevMode::capabilities)
        return std::unexpected(
            unsupported(tr("hostdev mode '{0}' is not supported", names<HostdevMode>.text(*hostdev.mode))));
    if (hostdev.info.address)
        for (const auto& child : hostdev.info.address->rest.children)
            if (child.name == "zpci")
                return std::unexpected(unsupported(tr("This QEMU binary doesn't support zPCI")));
    for (const auto* other : devices_of<Hostdev>(context.domain)) {
        if (other == &hostdev) break;
        if (same_source(*other, hostdev))
            return std::unexpected(malformed(tr("Hostdev already exists in the domain configuration")));
    }
    if (std::holds_alternative<VhostScsiHostdev>(hostdev.host) && hostdev.info.boot)
        return std::unexpected(
            unsupported(tr("booting from assigned devices is not supported by vhost SCSI devices")));
    if (std::holds_alternative<MdevHostdev>(hostdev.host)) return check_mdev(hostdev, context.domain);
    if (std::holds_alternative<ScsiHostdev>(hostdev.host)) return check_scsi(hostdev, context.domain);
    return {};
}

template <> Result<DevicePlan> plan(const Hostdev& hostdev, const PlanContext& context) {
    Planner planner{
        .hostdev = hostdev, .context = context, .alias = id_of(hostdev.info, "hostdev", context.index)};
    planner.why = "hostdev " + planner.alias;
    TRY(std::visit([&](const auto& host) { return planner(host); }, hostdev.host));
    return std::move(planner.out);
}

} // namespace cloister
