#include "driver/probe/host_devices.hpp"

#include "driver/facts/pci_config.hpp"
#include "driver/probe/sysfs.hpp"

#include <charconv>
#include <filesystem>

namespace cloister {

namespace {

unsigned number(const std::string& text, int base) {
    unsigned out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out, base);
    return out;
}

void add_usb(HostFacts& facts, const std::string& sys) {
    const auto folder = sys + "/bus/usb/devices";
    for (const auto& name : entries(folder)) {
        if (name.find(':') != std::string::npos) continue; // an interface of a device
        const auto at = folder + "/" + name + "/";
        const auto vendor = file_line(at + "idVendor");
        if (vendor.empty()) continue;
        facts.usb_devices.push_back({.bus = number(file_line(at + "busnum"), 10),
                                     .device = number(file_line(at + "devnum"), 10),
                                     .vendor = number(vendor, 16),
                                     .product = number(file_line(at + "idProduct"), 16)});
    }
}

/// PCI functions by name, mediated devices by their UUID: both are members of a group by that name.
void add_iommu_groups(HostFacts& facts, const std::string& sys) {
    const auto folder = sys + "/kernel/iommu_groups";
    for (const auto& group : entries(folder))
        for (const auto& device : entries(folder + "/" + group + "/devices"))
            facts.iommu_groups[device] = number(group, 10);
}

/// Whether a bridge above the function, by its place in /sys/devices, lets it reach its neighbours.
bool below_open_switch(const std::string& link) {
    std::error_code gone;
    const auto place = std::filesystem::canonical(link, gone);
    if (gone) return false;
    for (auto bridge = place.parent_path(); bridge.has_filename(); bridge = bridge.parent_path()) {
        const auto config = file_text(bridge.string() + "/config");
        if (!config) return false; // the root of the bus
        if (is_switch_port_without_acs(*config)) return true;
    }
    return false;
}

void add_open_switches(HostFacts& facts, const std::string& sys) {
    for (const auto& [device, group] : facts.iommu_groups)
        if (below_open_switch(sys + "/bus/pci/devices/" + device)) facts.not_kept_apart.insert(device);
}

void add_scsi(HostFacts& facts, const std::string& sys) {
    const auto folder = sys + "/bus/scsi/devices";
    for (const auto& address : entries(folder)) {
        if (address.find(':') == std::string::npos) continue; // a host or a target
        const auto generic = entries(folder + "/" + address + "/scsi_generic");
        if (!generic.empty()) facts.scsi_generic[address] = "/dev/" + generic.front();
    }
}

} // namespace

void add_host_devices(HostFacts& facts, const std::string& sys) {
    add_usb(facts, sys);
    add_iommu_groups(facts, sys);
    add_open_switches(facts, sys);
    add_scsi(facts, sys);
}

} // namespace cloister
