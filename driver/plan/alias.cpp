#include "driver/plan/alias.hpp"

#include "conf/base/overload.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cloister {

namespace {

/// Next free number of each prefix. Numbers that the user's own aliases do not touch.
class Counters {
public:
    explicit Counters(const Domain& domain, bool keep_used) {
        if (!keep_used) return;
        for (const auto& device : domain.devices.list)
            if (const auto alias = alias_of(device); !alias.empty()) used_.insert(std::string(alias));
    }
    std::string next(std::string_view prefix) {
        auto& number = next_[std::string(prefix)];
        for (;;)
            if (auto name = fmt::format("{}{}", prefix, number++); !used_.contains(name)) return name;
    }

private:
    std::map<std::string, unsigned> next_{};
    std::set<std::string> used_{};
};

/// "vda" -> 0, "vdab" -> 27; nullopt for a name without letters behind its prefix.
std::optional<unsigned> letters_index(std::string_view target) {
    for (const std::string_view prefix : {"fd", "hd", "sd", "vd", "xvd", "ubd"}) {
        if (!target.starts_with(prefix) || target.size() == prefix.size()) continue;
        unsigned value = 0;
        for (const char c : target.substr(prefix.size())) {
            if (c < 'a' || c > 'z') return std::nullopt;
            value = value * 26 + static_cast<unsigned>(c - 'a') + 1;
        }
        return value - 1;
    }
    return std::nullopt;
}

/// The model of the SCSI controller with this index; "" when there is none.
std::string scsi_model(const Domain& domain, unsigned index) {
    for (const auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::scsi && (c->index ? c->index->value : 0) == index)
            return c->model.value_or("");
    return "";
}

std::string disk_alias(const Disk& disk, const Domain& domain) {
    const auto bus = disk.target.bus.value_or(DiskBus::ide);
    const auto prefix = std::string(names<DiskBus>.text(bus));
    if (const auto* drive = address_of<DriveAddress>(disk.info)) {
        const auto controller = drive->controller.value_or(0);
        if (bus == DiskBus::scsi) {
            if (scsi_model(domain, controller).starts_with("lsilogic"))
                return fmt::format("{}{}-{}-{}", prefix, controller, drive->bus.value_or(0),
                                   drive->unit.value_or(0));
            return fmt::format("{}{}-{}-{}-{}", prefix, controller, drive->bus.value_or(0),
                               drive->target.value_or(0), drive->unit.value_or(0));
        }
        return fmt::format("{}{}-{}-{}", prefix, controller, drive->bus.value_or(0), drive->unit.value_or(0));
    }
    const auto index = letters_index(disk.target.dev.value_or("")).value_or(0);
    return fmt::format("{}-disk{}", prefix, index);
}

std::string controller_alias(const Controller& c, const Domain& domain) {
    const auto index = c.index ? c.index->value : 0;
    switch (c.type.value_or(ControllerType::pci)) {
    case ControllerType::pci: return fmt::format("{}.{}", c.model == "pcie-root" ? "pcie" : "pci", index);
    case ControllerType::ide:
        if (index == 0 && is_i440fx(domain)) return "ide";
        break;
    case ControllerType::sata:
        if (index == 0 && is_q35(domain)) return "ide";
        break;
    case ControllerType::usb:
        if (index == 0) return "usb";
        break;
    case ControllerType::scsi:
    case ControllerType::fdc:
    case ControllerType::virtio_serial:
    case ControllerType::ccid:
    case ControllerType::xenbus:
    case ControllerType::isa: break;
    }
    return fmt::format("{}{}", names<ControllerType>.text(*c.type), index);
}

std::string memory_prefix(MemoryModel model) {
    switch (model) {
    case MemoryModel::dimm: return "dimm";
    case MemoryModel::nvdimm: return "nvdimm";
    case MemoryModel::virtio_pmem: return "virtiopmem";
    case MemoryModel::virtio_mem: return "virtiomem";
    case MemoryModel::sgx_epc: return "epc";
    }
    return "dimm";
}

/// The first console is the first serial port seen again, and shares its alias.
bool is_serial_again(const Console& console) {
    return !console.target || !console.target->type || console.target->type == ConsoleTargetType::serial;
}

std::string alias_for(const Device& device, const Domain& domain, Counters& counters) {
    return std::visit(overload{
                          [&](const Disk& d) { return disk_alias(d, domain); },
                          [&](const Controller& c) { return controller_alias(c, domain); },
                          [&](const Interface& i) {
                              return counters.next(i.type == InterfaceType::hostdev ? "hostdev" : "net");
                          },
                          [&](const Filesystem&) { return counters.next("fs"); },
                          [&](const Smartcard&) { return counters.next("smartcard"); },
                          [&](const Serial&) { return counters.next("serial"); },
                          [&](const Parallel&) { return counters.next("parallel"); },
                          [&](const Console&) { return counters.next("console"); },
                          [&](const Channel&) { return counters.next("channel"); },
                          [&](const Input&) { return counters.next("input"); },
                          [&](const Tpm&) { return counters.next("tpm"); },
                          [&](const Sound&) { return counters.next("sound"); },
                          [&](const Video&) { return counters.next("video"); },
                          [&](const Hostdev&) { return counters.next("hostdev"); },
                          [&](const Redirdev&) { return counters.next("redir"); },
                          [&](const Hub&) { return counters.next("hub"); },
                          [&](const Watchdog&) { return counters.next("watchdog"); },
                          [&](const Memballoon& b) {
                              return b.model == BalloonModel::none ? std::string() : counters.next("balloon");
                          },
                          [&](const Rng&) { return counters.next("rng"); },
                          [&](const Nvram&) { return std::string("nvram"); },
                          [&](const Panic& p) {
                              const auto name = counters.next("panic");
                              return p.model == PanicModel::pvpanic ? name : std::string();
                          },
                          [&](const Shmem&) { return counters.next("shmem"); },
                          [&](const MemoryModule& m) { return counters.next(memory_prefix(m.model)); },
                          [&](const Iommu&) { return counters.next("iommu"); },
                          [&](const Vsock&) { return counters.next("vsock"); },
                          [&](const Crypto&) { return counters.next("crypto"); },
                          [](const Lease&) { return std::string(); },
                          [](const Graphics&) { return std::string(); },
                          [](const Audio&) { return std::string(); },
                          [](const RedirFilter&) { return std::string(); },
                          [](const UnmodelledDevice&) { return std::string(); },
                      },
                      device);
}

void give(Device& device, const Domain& domain, Counters& counters) {
    auto* info = info_of(device);
    // the number is used up even when the user's own alias stands
    auto alias = alias_for(device, domain, counters);
    if (!info || alias.empty()) return;
    if (info->alias && info->alias->name.starts_with("ua-")) return;
    info->alias = Alias{.name = std::move(alias)};
}

} // namespace

void assign_aliases(Domain& domain) {
    Counters counters(domain, false);
    for (auto& device : domain.devices.list) give(device, domain, counters);
    const auto serials = devices_of<Serial>(domain);
    const auto consoles = devices_of<Console>(domain);
    if (!consoles.empty() && is_serial_again(*consoles.front()) && !serials.empty())
        consoles.front()->info.alias = serials.front()->info.alias;
}

void assign_alias(Device& device, const Domain& domain) {
    Counters counters(domain, true);
    give(device, domain, counters);
}

} // namespace cloister
