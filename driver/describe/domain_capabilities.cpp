#include "conf/text/xml_node.hpp"
#include "driver/caps/cpu_names.hpp"
#include "driver/describe/describe.hpp"

#include <algorithm>
#include <fnmatch.h>
#include <initializer_list>
#include <string_view>

namespace cloister {

namespace {

using Values = std::vector<std::string>;

struct About {
    const QemuCaps& caps;
    const HostFacts& host;
    const QemuMachine& machine;
    bool kvm = false;

    bool is_x86() const { return caps.arch == "x86_64" || caps.arch == "i386" || caps.arch == "i686"; }
    bool is_q35() const { return machine.name.starts_with("pc-q35"); }
};

xml::Node& add(xml::Node& to, std::string name, std::string text) {
    auto& out = to.add(std::move(name));
    out.text = std::move(text);
    return out;
}

xml::Node& supported(xml::Node& to, std::string name, bool is) {
    return to.add(std::move(name)).set("supported", is ? "yes" : "no");
}

void add_enum(xml::Node& to, std::string name, const Values& values) {
    auto& out = to.add("enum");
    out.set("name", std::move(name));
    for (const auto& value : values) add(out, "value", value);
}

/// The values whose type (or anything else) this QEMU has: {value, type}; an empty type is always there.
Values those(const QemuCaps& caps,
             std::initializer_list<std::pair<std::string_view, std::string_view>> wanted) {
    Values out;
    for (const auto& [value, type] : wanted)
        if (type.empty() || caps.has_type(type)) out.emplace_back(value);
    return out;
}

std::string guest_arch(const QemuCaps& caps) { return caps.arch == "i386" ? "i686" : caps.arch; }

bool fits(const Firmware& firmware, const About& about) {
    const auto machines = firmware.targets.find(about.caps.arch);
    if (machines == firmware.targets.end() || std::ranges::count(firmware.interfaces, "uefi") == 0)
        return false;
    return std::ranges::any_of(machines->second, [&](const std::string& glob) {
        return ::fnmatch(glob.c_str(), about.machine.name.c_str(), 0) == 0;
    });
}

void add_os(xml::Node& root, const About& about) {
    auto& os = supported(root, "os", true);
    Values files;
    bool secure = false;
    for (const auto& one : about.host.firmware) {
        if (!fits(one, about)) continue;
        const auto& file = one.mapping == "flash" ? one.executable : one.memory_filename;
        if (std::ranges::count(files, file) == 0) files.push_back(file);
        secure = secure || (std::ranges::count(one.features, "secure-boot") > 0 &&
                            std::ranges::count(one.features, "requires-smm") > 0);
    }
    add_enum(os, "firmware", files.empty() ? Values{} : Values{"efi"});
    auto& loader = supported(os, "loader", true);
    for (const auto& file : files) add(loader, "value", file);
    add_enum(loader, "type", {"rom", "pflash"});
    add_enum(loader, "readonly", {"yes", "no"});
    add_enum(loader, "secure", secure ? Values{"yes", "no"} : Values{"no"});
}

void add_host_model(xml::Node& cpu, const About& about) {
    const auto model = host_model(about.caps, about.kvm);
    auto& mode = cpu.add("mode");
    mode.set("name", "host-model").set("supported", model ? "yes" : "no");
    if (!model) return;
    add(mode, "model", model->model).set("fallback", "forbid");
    if (!model->vendor.empty()) add(mode, "vendor", model->vendor);
    for (const auto& name : model->required) mode.add("feature").set("policy", "require").set("name", name);
    for (const auto& name : model->disabled) mode.add("feature").set("policy", "disable").set("name", name);
}

void add_cpu(xml::Node& root, const About& about) {
    auto& cpu = root.add("cpu");
    auto& passthrough = cpu.add("mode");
    passthrough.set("name", "host-passthrough").set("supported", about.kvm ? "yes" : "no");
    if (about.kvm) add_enum(passthrough, "hostPassthroughMigratable", {"on", "off"});
    auto& maximum = cpu.add("mode");
    maximum.set("name", "maximum").set("supported", "yes");
    add_enum(maximum, "maximumMigratable", {"on", "off"});
    add_host_model(cpu, about);
    auto& custom = cpu.add("mode");
    custom.set("name", "custom").set("supported", "yes");
    for (const auto& one : about.kvm ? about.caps.cpus_kvm : about.caps.cpus_tcg) {
        // Names for people; "EPYC-v2" and its like are QEMU's own, and a definition names them at its own
        // risk.
        if (one.alias_of.empty()) continue;
        auto& model = add(custom, "model", one.name);
        model.set("usable", !one.usable_known ? "unknown" : one.unavailable.empty() ? "yes" : "no");
        if (one.deprecated) model.set("deprecated", "yes");
        model.set("vendor", model_vendor(about.caps, about.kvm, one.name));
    }
}

void add_disk(xml::Node& devices, const About& about) {
    auto& disk = supported(devices, "disk", true);
    add_enum(disk, "diskDevice", {"disk", "cdrom", "floppy", "lun"});
    Values buses;
    if (about.is_x86() && !about.is_q35() && about.machine.name != "microvm") buses.push_back("ide");
    for (const auto& bus : those(about.caps, {{"fdc", "isa-fdc"},
                                              {"scsi", "scsi-hd"},
                                              {"virtio", "virtio-blk-pci"},
                                              {"usb", "usb-storage"},
                                              {"sata", "ich9-ahci"}}))
        buses.push_back(bus);
    add_enum(disk, "bus", buses);
    add_enum(disk, "model", {"virtio", "virtio-transitional", "virtio-non-transitional"});
}

/// A display is there when QEMU offers it; those that modules bring are listed by query-display-options'
/// schema.
bool has_display(const QemuCaps& caps, std::string_view type) {
    return caps.has_schema("query-display-options/ret-type/type/^" + std::string(type));
}

void add_displays(xml::Node& devices, const About& about) {
    const auto& caps = about.caps;
    auto& graphics = supported(devices, "graphics", true);
    Values types;
    if (has_display(caps, "sdl")) types.push_back("sdl");
    if (caps.commands.contains("query-vnc")) types.push_back("vnc");
    if (caps.commands.contains("query-spice")) types.push_back("spice");
    if (has_display(caps, "egl-headless")) types.push_back("egl-headless");
    if (has_display(caps, "dbus")) types.push_back("dbus");
    add_enum(graphics, "type", types);
    auto& video = supported(devices, "video", true);
    add_enum(video, "modelType",
             those(caps, {{"vga", "VGA"},
                          {"cirrus", "cirrus-vga"},
                          {"vmvga", "vmware-svga"},
                          {"qxl", "qxl-vga"},
                          {"virtio", "virtio-gpu-pci"},
                          {"none", ""},
                          {"bochs", "bochs-display"},
                          {"ramfb", "ramfb"}}));
}

void add_host_devices(xml::Node& devices, const About& about) {
    auto& hostdev = supported(devices, "hostdev", true);
    add_enum(hostdev, "mode", {"subsystem"});
    add_enum(hostdev, "startupPolicy", {"default", "mandatory", "requisite", "optional"});
    add_enum(hostdev, "subsysType",
             those(about.caps, {{"usb", "usb-host"}, {"pci", "vfio-pci"}, {"scsi", "scsi-generic"}}));
    add_enum(hostdev, "capsType", {});
    add_enum(hostdev, "pciBackend", {});
}

void add_devices(xml::Node& root, const About& about) {
    const auto& caps = about.caps;
    auto& devices = root.add("devices");
    add_disk(devices, about);
    add_displays(devices, about);
    add_host_devices(devices, about);
    auto& rng = supported(devices, "rng", caps.has_type("virtio-rng-pci"));
    if (caps.has_type("virtio-rng-pci")) {
        add_enum(rng, "model", {"virtio", "virtio-transitional", "virtio-non-transitional"});
        add_enum(rng, "backendModel",
                 those(caps, {{"random", "rng-random"}, {"egd", "rng-egd"}, {"builtin", "rng-builtin"}}));
    }
    const auto filesystems = those(caps, {{"path", "virtio-9p-pci"}, {"virtiofs", "vhost-user-fs-pci"}});
    add_enum(supported(devices, "filesystem", !filesystems.empty()), "driverType", filesystems);
    const bool has_tpm = caps.tpm_types.contains("emulator") && !caps.tpm_models.empty();
    auto& tpm = supported(devices, "tpm", has_tpm);
    if (has_tpm) {
        Values models, backends;
        for (const auto* model : {"tpm-tis", "tpm-crb"})
            if (caps.tpm_models.contains(model)) models.push_back(model);
        for (const auto* backend : {"passthrough", "emulator"})
            if (caps.tpm_types.contains(backend)) backends.push_back(backend);
        backends.push_back("external");
        add_enum(tpm, "model", models);
        add_enum(tpm, "backendModel", backends);
        add_enum(tpm, "backendVersion", {"1.2", "2.0"});
    }
    auto& redirected = supported(devices, "redirdev", caps.has_type("usb-redir"));
    if (caps.has_type("usb-redir")) add_enum(redirected, "bus", {"usb"});
    auto& channel = supported(devices, "channel", true);
    add_enum(channel, "type",
             caps.commands.contains("query-spice") ? Values{"pty", "unix", "spicevmc"}
                                                   : Values{"pty", "unix"});
}

/// Hyper-V's enlightenments in the definition's names: those that cost nothing, and what KVM says it can do.
Values hyperv(const About& about) {
    Values out;
    for (const auto& [name, property] :
         std::initializer_list<std::pair<const char*, const char*>>{{"relaxed", "hv-relaxed"},
                                                                    {"vapic", "hv-vapic"},
                                                                    {"spinlocks", ""},
                                                                    {"vpindex", "hv-vpindex"},
                                                                    {"runtime", "hv-runtime"},
                                                                    {"synic", "hv-synic"},
                                                                    {"stimer", "hv-stimer"},
                                                                    {"reset", "hv-reset"},
                                                                    {"vendor_id", ""},
                                                                    {"frequencies", "hv-frequencies"},
                                                                    {"reenlightenment", "hv-reenlightenment"},
                                                                    {"tlbflush", "hv-tlbflush"},
                                                                    {"ipi", "hv-ipi"},
                                                                    {"evmcs", "hv-evmcs"},
                                                                    {"avic", "hv-avic"}})
        if (std::string_view(property).empty() || (about.kvm && about.caps.hyperv.contains(property)))
            out.emplace_back(name);
    return out;
}

void add_features(xml::Node& root, const About& about) {
    auto& features = root.add("features");
    supported(features, "gic", false);
    supported(features, "vmcoreinfo", about.caps.has_type("vmcoreinfo"));
    supported(features, "genid", about.caps.has_type("vmgenid"));
    supported(features, "backingStoreInput", true);
    supported(features, "backup", false);
    supported(features, "sev", false);
    supported(features, "sgx", false);
    auto& own = supported(features, "hyperv", about.is_x86());
    if (about.is_x86()) add_enum(own, "features", hyperv(about));
}

} // namespace

std::string domain_capabilities_xml(const QemuCaps& caps, const HostFacts& host, const QemuMachine& machine,
                                    const std::string& virt_type) {
    const About about{caps, host, machine, virt_type == "kvm"};
    xml::Node root{.name = "domainCapabilities"};
    add(root, "path", caps.emulator);
    add(root, "domain", virt_type);
    add(root, "machine", machine.name);
    add(root, "arch", guest_arch(caps));
    root.add("vcpu").set("max", std::to_string(machine.max_cpus));
    supported(root, "iothreads", caps.has_type("iothread"));
    add_os(root, about);
    add_cpu(root, about);
    auto& memory = supported(root, "memoryBacking", true);
    Values sources =
        those(caps, {{"file", "memory-backend-file"}, {"anonymous", ""}, {"memfd", "memory-backend-memfd"}});
    add_enum(memory, "sourceType", sources);
    add_devices(root, about);
    add_features(root, about);
    return xml::print(root);
}

} // namespace cloister
