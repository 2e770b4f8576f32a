#include "conf/text/xml_node.hpp"
#include "driver/caps/cpu_names.hpp"
#include "driver/describe/describe.hpp"

#include <algorithm>

namespace cloister {

namespace {

xml::Node& add(xml::Node& to, std::string name, std::string text) {
    auto& out = to.add(std::move(name));
    out.text = std::move(text);
    return out;
}

template <class T> std::string number(T value) { return std::to_string(value); }

/// "0-3,8"
std::string cpu_set(const std::vector<unsigned>& ids) {
    std::string out;
    for (std::size_t i = 0; i < ids.size();) {
        auto last = i;
        while (last + 1 < ids.size() && ids[last + 1] == ids[last] + 1) ++last;
        if (!out.empty()) out += ',';
        out += number(ids[i]);
        if (last > i) out += '-' + number(ids[last]);
        i = last + 1;
    }
    return out;
}

/// The host's processor as QEMU sees it under KVM; without KVM nobody needs more than the architecture.
void add_cpu(xml::Node& to, const HostTopology& host, const QemuCaps* own) {
    auto& cpu = to.add("cpu");
    add(cpu, "arch", host.arch);
    const auto described = own && own->host_kvm ? host_model(*own, true) : std::nullopt;
    if (described) add(cpu, "model", described->model);
    if (!host.cpu_vendor.empty()) add(cpu, "vendor", std::string(vendor_in_xml(host.cpu_vendor)));
    if (host.microcode) cpu.add("microcode").set("version", number(host.microcode));
    if (host.family)
        cpu.add("signature")
            .set("family", number(host.family))
            .set("model", number(host.model))
            .set("stepping", number(host.stepping));
    if (host.tsc_hz)
        cpu.add("counter")
            .set("name", "tsc")
            .set("frequency", number(host.tsc_hz))
            .set("scaling", host.tsc_scaling ? "yes" : "no");
    unsigned sockets = 1, dies = 1, threads = 1;
    for (const auto& cell : host.cells)
        for (const auto& one : cell.cpus) {
            sockets = std::max(sockets, one.socket + 1);
            dies = std::max(dies, one.die + 1);
            threads = std::max(threads, static_cast<unsigned>(one.siblings.size()));
        }
    const auto cores = std::max(1u, static_cast<unsigned>(host.online.size()) / (sockets * dies * threads));
    cpu.add("topology")
        .set("sockets", number(sockets))
        .set("dies", number(dies))
        .set("cores", number(cores))
        .set("threads", number(threads));
    if (host.physical_bits)
        cpu.add("maxphysaddr").set("mode", "emulate").set("bits", number(*host.physical_bits));
    if (described)
        for (const auto& feature : described->required) cpu.add("feature").set("name", feature);
    if (!host.cells.empty())
        for (const auto& pool : host.cells.front().pages)
            cpu.add("pages").set("unit", "KiB").set("size", number(pool.size_kib));
}

void add_cell(xml::Node& to, const HostCell& from) {
    auto& cell = to.add("cell");
    cell.set("id", number(from.id));
    add(cell, "memory", number(from.memory_kib)).set("unit", "KiB");
    for (const auto& pool : from.pages)
        add(cell, "pages", number(pool.total)).set("unit", "KiB").set("size", number(pool.size_kib));
    if (!from.distances.empty()) {
        auto& distances = cell.add("distances");
        for (const auto& [id, value] : from.distances)
            distances.add("sibling").set("id", number(id)).set("value", number(value));
    }
    auto& cpus = cell.add("cpus");
    cpus.set("num", number(from.cpus.size()));
    for (const auto& one : from.cpus)
        cpus.add("cpu")
            .set("id", number(one.id))
            .set("socket_id", number(one.socket))
            .set("die_id", number(one.die))
            .set("core_id", number(one.core))
            .set("siblings", cpu_set(one.siblings));
}

void add_caches(xml::Node& to, const std::vector<CacheBank>& banks) {
    if (banks.empty()) return;
    auto& cache = to.add("cache");
    for (const auto& bank : banks) {
        const bool whole_mib = bank.size_kib % 1024 == 0 && bank.size_kib > 0;
        cache.add("bank")
            .set("id", number(bank.id))
            .set("level", number(bank.level))
            .set("type", bank.type)
            .set("size", number(whole_mib ? bank.size_kib / 1024 : bank.size_kib))
            .set("unit", whole_mib ? "MiB" : "KiB")
            .set("cpus", cpu_set(bank.cpus));
    }
}

void add_host(xml::Node& to, const HostTopology& topology, const QemuCaps* own,
              const std::vector<SecurityModel>& models) {
    auto& host = to.add("host");
    if (!topology.uuid.empty()) add(host, "uuid", topology.uuid);
    add_cpu(host, topology, own);
    auto& power = host.add("power_management");
    if (topology.suspend_mem) power.add("suspend_mem");
    if (topology.suspend_disk) power.add("suspend_disk");
    host.add("iommu").set("support", topology.iommu ? "yes" : "no");
    if (!topology.cells.empty()) {
        auto& cells = host.add("topology").add("cells");
        cells.set("num", number(topology.cells.size()));
        for (const auto& cell : topology.cells) add_cell(cells, cell);
    }
    add_caches(host, topology.caches);
    for (const auto& model : models) {
        auto& out = host.add("secmodel");
        add(out, "model", model.model);
        add(out, "doi", model.doi);
        for (const auto& [type, label] : model.base_labels) add(out, "baselabel", label).set("type", type);
    }
}

void add_machine(xml::Node& to, const QemuMachine& machine) {
    const auto one = [&](const std::string& name, const std::string* canonical) {
        auto& out = add(to, "machine", name);
        if (canonical) out.set("canonical", *canonical);
        out.set("maxCpus", number(machine.max_cpus));
        if (machine.deprecated) out.set("deprecated", "yes");
    };
    one(machine.name, nullptr);
    if (machine.alias) one(*machine.alias, &machine.name);
}

bool is_x86(const std::string& arch) { return arch == "x86_64" || arch == "i386" || arch == "i686"; }

void add_guest(xml::Node& to, const QemuCaps& caps) {
    auto& guest = to.add("guest");
    add(guest, "os_type", "hvm");
    auto& arch = guest.add("arch");
    const bool narrow = caps.arch == "i386" || caps.arch == "i686";
    arch.set("name", narrow ? "i686" : caps.arch);
    add(arch, "wordsize", narrow || caps.arch == "arm" ? "32" : "64");
    add(arch, "emulator", caps.emulator);
    // The default machine first: clients take the first one.
    if (const auto* first = caps.default_machine()) add_machine(arch, *first);
    for (const auto& machine : caps.machines)
        if (&machine != caps.default_machine() && machine.name != "none") add_machine(arch, machine);
    arch.add("domain").set("type", "qemu");
    if (caps.kvm) arch.add("domain").set("type", "kvm");
    auto& features = guest.add("features");
    if (narrow) {
        features.add("pae");
        features.add("nonpae");
    }
    if (is_x86(caps.arch)) {
        features.add("acpi").set("default", "on").set("toggle", "yes");
        features.add("apic").set("default", "on").set("toggle", "no");
    }
    features.add("cpuselection");
    features.add("deviceboot");
    features.add("disksnapshot").set("default", "on").set("toggle", "no");
}

} // namespace

std::string capabilities_xml(const HostTopology& host, const std::vector<const QemuCaps*>& emulators,
                             const std::vector<SecurityModel>& models) {
    xml::Node root{.name = "capabilities"};
    const auto own =
        std::ranges::find_if(emulators, [&](const QemuCaps* one) { return one->arch == host.arch; });
    add_host(root, host, own == emulators.end() ? nullptr : *own, models);
    for (const auto* caps : emulators) add_guest(root, *caps);
    return xml::print(root);
}

} // namespace cloister
