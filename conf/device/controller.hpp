/// <controller>: a bus of the guest: PCI, USB, SCSI, SATA, IDE, floppy, virtio-serial, smartcard.
/// Source: https://libvirt.org/formatdomain.html#controllers
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/number.hpp"
#include "conf/part/scaled.hpp"
#include "conf/part/virtio_options.hpp"

namespace cloister {

enum class ControllerType { ide, fdc, scsi, sata, virtio_serial, ccid, usb, pci, xenbus, isa };
template <> inline constexpr auto names<ControllerType> = make_names<ControllerType>(
    {"ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa"});
static_assert(names<ControllerType>.covers(ControllerType::isa));

struct ControllerDriver {
    std::optional<std::uint32_t> queues{}, cmd_per_lun{}, max_sectors{};
    std::optional<Switch> ioeventfd{};
    std::optional<std::uint32_t> iothread{};
    VirtioOptions virtio{};
    xml::Rest rest{};
    bool operator==(const ControllerDriver&) const = default;
};
template <> inline constexpr auto fields<ControllerDriver> = xml::table(
    xml::attr("queues", &ControllerDriver::queues), xml::attr("cmd_per_lun", &ControllerDriver::cmd_per_lun),
    xml::attr("max_sectors", &ControllerDriver::max_sectors),
    xml::attr("ioeventfd", &ControllerDriver::ioeventfd), xml::attr("iothread", &ControllerDriver::iothread),
    xml::embed(&ControllerDriver::virtio));

/// Which QEMU device stands for a PCI controller: pcie-root-port, ioh3420, pxb-pcie …
struct ControllerModelName {
    std::optional<std::string> name{};
    xml::Rest rest{};
    bool operator==(const ControllerModelName&) const = default;
};
template <> inline constexpr auto fields<ControllerModelName> =
    xml::table(xml::attr("name", &ControllerModelName::name));

struct ControllerTarget {
    std::optional<xml::Decimal> chassis_nr{}, chassis{};
    std::optional<xml::Hex<1>> port{};
    std::optional<xml::Decimal> bus_nr{}, index{};
    std::optional<Switch> hotplug{};
    std::optional<std::uint32_t> node{}; ///< NUMA node of an expander bus
    xml::Rest rest{};
    bool operator==(const ControllerTarget&) const = default;
};
template <> inline constexpr auto fields<ControllerTarget> =
    xml::table(xml::attr("chassisNr", &ControllerTarget::chassis_nr),
               xml::attr("chassis", &ControllerTarget::chassis), xml::attr("port", &ControllerTarget::port),
               xml::attr("busNr", &ControllerTarget::bus_nr), xml::attr("index", &ControllerTarget::index),
               xml::attr("hotplug", &ControllerTarget::hotplug), xml::leaf("node", &ControllerTarget::node));

struct ControllerMaster { ///< of USB companions: the first port that this one serves
    std::uint32_t startport = 0;
    xml::Rest rest{};
    bool operator==(const ControllerMaster&) const = default;
};
template <> inline constexpr auto fields<ControllerMaster> =
    xml::table(xml::attr("startport", &ControllerMaster::startport));

struct Controller {
    std::optional<ControllerType> type{};
    std::optional<xml::Decimal> index{}; ///< among the controllers of the same type
    std::optional<std::string> model{};  ///< per type: pcie-root-port, qemu-xhci, virtio-scsi …
    std::optional<std::uint32_t> ports{}, vectors{};
    std::optional<std::uint32_t> max_grant_frames{}, max_event_channels{}; ///< xenbus
    std::optional<ControllerDriver> driver{};
    std::optional<ControllerModelName> model_name{};
    std::optional<ControllerTarget> target{};
    std::optional<KibSize> pcihole64{};
    DeviceInfo info{};
    std::optional<ControllerMaster> master{};
    xml::Rest rest{};
    bool operator==(const Controller&) const = default;
};

/// <master> stands between <alias> and <address>, that is, inside of what DeviceInfo prints.
inline constexpr auto controller_master = xml::special<Controller>(
    [](std::string_view name, const xml::Node* child) { return child && name == "master"; },
    [](const xml::Node& n, Controller& out, xml::Flavour flavour) -> Result<> {
        if (const auto* node = n.child("master"))
            out.master = TRY(xml::parse<ControllerMaster>(*node, flavour));
        return {};
    },
    [](const Controller& v, xml::Node& n, const xml::Style& style) {
        if (!v.master) return;
        auto at = n.children.begin();
        while (at != n.children.end() && at->name != "rom" && at->name != "acpi" && at->name != "address")
            ++at;
        n.children.insert(at, xml::formatted(*v.master, "master", style));
    });
template <> inline constexpr auto fields<Controller> = xml::table(
    xml::attr("type", &Controller::type), xml::attr("index", &Controller::index),
    xml::attr("model", &Controller::model), xml::attr("ports", &Controller::ports),
    xml::attr("vectors", &Controller::vectors), xml::attr("maxGrantFrames", &Controller::max_grant_frames),
    xml::attr("maxEventChannels", &Controller::max_event_channels), xml::child("driver", &Controller::driver),
    xml::child("model", &Controller::model_name), xml::child("target", &Controller::target),
    xml::child("pcihole64", &Controller::pcihole64), xml::embed(&Controller::info), controller_master);
template <> inline constexpr const char* element<Controller> = "controller";

} // namespace cloister
