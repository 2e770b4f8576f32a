/// A guest planned from its text, on a host and with a QEMU whose facts are all pinned: for tests.
#pragma once

#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/plan/complete.hpp"
#include "driver/plan/live.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "driver/plan/planner.hpp"

#include <algorithm>
#include <array>
#include <fmt/core.h>

namespace cloister::test {

/// What Debian's QEMU 7.2 has of what the tests use.
inline QemuCaps qemu72() {
    QemuCaps caps{.emulator = "/usr/bin/qemu-system-x86_64", .version = 7002000};
    const QemuMachine pc{.name = "pc-i440fx-7.2",
                         .alias = "pc",
                         .max_cpus = 255,
                         .hotpluggable_cpus = true,
                         .is_default = true,
                         .default_cpu_type = "qemu64-x86_64-cpu",
                         .default_ram_id = "pc.ram"};
    auto q35 = pc;
    q35.name = "pc-q35-7.2";
    q35.alias = "q35";
    q35.max_cpus = 288;
    q35.is_default = false;
    caps.machines = {pc, q35};
    for (const char* type : {"VGA",
                             "cirrus-vga",
                             "virtio-vga",
                             "virtio-gpu-pci",
                             "qxl",
                             "qxl-vga",
                             "bochs-display",
                             "ramfb",
                             "virtio-blk-pci",
                             "virtio-net-pci",
                             "virtio-scsi-pci",
                             "virtio-serial-pci",
                             "virtio-balloon-pci",
                             "virtio-rng-pci",
                             "virtio-9p-pci",
                             "vhost-user-fs-pci",
                             "vhost-vsock-pci",
                             "virtio-keyboard-pci",
                             "virtio-tablet-pci",
                             "virtio-mouse-pci",
                             "virtio-crypto-pci",
                             "virtio-iommu-pci",
                             "virtio-mem-pci",
                             "ide-hd",
                             "ide-cd",
                             "scsi-hd",
                             "scsi-cd",
                             "usb-storage",
                             "floppy",
                             "lsi53c895a",
                             "lsi",
                             "rtl8139",
                             "e1000",
                             "e1000e",
                             "qemu-xhci",
                             "nec-usb-xhci",
                             "piix3-usb-uhci",
                             "ich9-usb-ehci1",
                             "ich9-usb-uhci1",
                             "ich9-usb-uhci2",
                             "ich9-usb-uhci3",
                             "usb-hub",
                             "usb-tablet",
                             "usb-kbd",
                             "usb-mouse",
                             "usb-redir",
                             "usb-host",
                             "usb-ccid",
                             "ccid-card-passthru",
                             "pcie-root-port",
                             "pcie-pci-bridge",
                             "pci-bridge",
                             "i82801b11-bridge",
                             "ioh3420",
                             "ich9-ahci",
                             "isa-fdc",
                             "isa-serial",
                             "isa-parallel",
                             "pci-serial",
                             "virtserialport",
                             "virtconsole",
                             "ich9-intel-hda",
                             "intel-hda",
                             "hda-duplex",
                             "hda-micro",
                             "AC97",
                             "i6300esb",
                             "ib700",
                             "pvpanic",
                             "tpm-tis",
                             "tpm-crb",
                             "intel-iommu",
                             "ivshmem-plain",
                             "pc-dimm",
                             "nvdimm",
                             "vfio-pci",
                             "vmgenid",
                             "rng-random",
                             "rng-builtin",
                             "memory-backend-file",
                             "memory-backend-memfd",
                             "memory-backend-ram",
                             "kvm-pit"})
        caps.types.emplace(type);
    caps.tpm_models = {"tpm-tis", "tpm-crb"};
    caps.tpm_types = {"passthrough", "emulator"};
    caps.properties["memory-backend-file"] = {"x-use-canonical-path-for-ramblock-id"};
    caps.properties["memory-backend-memfd"] = {"x-use-canonical-path-for-ramblock-id"};
    caps.properties["virtio-balloon-pci"] = {"free-page-reporting"};
    return caps;
}

struct PlanWorld {
    QemuCaps caps = qemu72();
    QemuConf conf{};
    HostFacts facts{};
    Folders folders{};

    PlanWorld() {
        facts.emulator_ids = Ids{.uid = 64055, .gid = 64055, .groups = {64055, 107}};
        facts.identities["root:root"] = Ids{};
        facts.identities["tss:tss"] = Ids{.uid = 102, .gid = 110};
        facts.environment = {{"PATH", "/bin"}, {"USER", "root"}};
        facts.hugetlb = {{"/dev/hugepages", 2048, true}};
        facts.render_node = "/dev/dri/renderD128";
        facts.vhost_net = true;
        facts.now = 1234567890;
    }

    Result<Domain> defined(std::string_view text) const {
        auto domain = TRY(read_domain(text));
        std::array<std::uint8_t, 256> random{};
        for (std::size_t i = 0; i < random.size(); ++i) random[i] = static_cast<std::uint8_t>(i);
        TRY(complete_domain(domain, &caps, conf, facts, random));
        return domain;
    }
    Result<LaunchPlan> planned(std::string_view text) const {
        const auto domain = TRY(defined(text));
        Reserved reserved{.id = 1, .mcs = "c1,c2"};
        for (unsigned i = 0; i < 64; ++i) reserved.random.push_back(static_cast<std::uint8_t>(i));
        reserved.every_secret = "open sesame";
        std::uint16_t port = 5900, websocket = 5700;
        for (const auto& need : ports_needed(domain, conf)) {
            if (need.range == PortNeed::Range::display)
                reserved.display_ports.push_back(port++);
            else
                reserved.websocket_ports.push_back(websocket++);
        }
        for (unsigned i = 0; i < taps_needed(domain); ++i) reserved.taps.push_back(fmt::format("vnet{}", i));
        reserved.vsock_cids.assign(vsock_cids_needed(domain), 42);
        const auto paths = launch_paths(folders, domain, 1);
        const auto live = TRY(live_copy(domain, caps, conf, facts, reserved, paths, folders));
        return plan_launch(live, caps, conf, facts, reserved, paths);
    }
};

/// A definition with these devices on this machine, and with acpi.
inline std::string guest(std::string_view machine, std::string_view devices, std::string_view more = "") {
    return fmt::format("<domain type='qemu'><name>vm</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>"
                       "<memory>262144</memory><os><type arch='x86_64' machine='{}'>hvm</type></os>"
                       "<features><acpi/></features>{}<devices>{}</devices></domain>",
                       machine, more, devices);
}

/// "02:01.0 lsilogic"-like lines: the PCI address and the name of every device that has one, in order of
/// addresses.
inline std::vector<std::string> pci_table(const Domain& domain) {
    std::vector<std::string> out;
    for (const auto& device : domain.devices.list) {
        const auto* info = info_of(device);
        const auto* pci = info ? address_of<PciAddress>(*info) : nullptr;
        if (!pci) continue;
        std::string name(element_of(device));
        if (const auto* c = std::get_if<Controller>(&device))
            name = c->model.value_or(std::string(names<ControllerType>.text(*c->type)));
        out.push_back(fmt::format("{:02x}:{:02x}.{} {}", pci->bus->value, pci->slot->value,
                                  pci->function->value, name));
    }
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace cloister::test
