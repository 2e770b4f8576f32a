#include "conf/domain/check.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace cloister {
namespace {

std::unexpected<Error> wrong(Code code, std::string message) {
    auto error = fail(code, std::move(message));
    error.error().domain = ErrorDomain::domain;
    return error;
}

const std::vector<NumaCell>& cells_of(const Domain& domain) {
    static const std::vector<NumaCell> none;
    return domain.cpu && domain.cpu->numa ? domain.cpu->numa->cells : none;
}
bool is_x86(const Domain& domain) {
    const auto& arch = domain.os.type.arch;
    return !arch || *arch == "x86_64" || *arch == "i686";
}
std::string_view machine_of(const Domain& domain) {
    return domain.os.type.machine ? std::string_view(*domain.os.type.machine) : std::string_view{};
}
bool is_q35(const Domain& domain) {
    return machine_of(domain) == "q35" || machine_of(domain).starts_with("pc-q35");
}

// ---- memory and NUMA ----------------------------------------------------------------------

Result<> check_memory(const Domain& domain) {
    const auto total = domain.memory ? domain.memory->kib : 0;
    std::uint64_t modules = 0;
    for (const auto* module : devices_of<MemoryModule>(domain))
        if (module->target && module->target->size) modules += module->target->size->kib;
    if (total == 0)
        return wrong(Code::xml,
                     tr("Memory size must be specified via <memory> or in the <numa> configuration"));
    if (modules > total)
        return wrong(Code::config_unsupported,
                     tr("Total size of memory devices exceeds the total memory size"));
    if (!domain.max_memory) return {};
    if (domain.max_memory->kib < total)
        return wrong(Code::xml,
                     tr("maximum memory size must be equal or greater than the actual memory size"));
    if (cells_of(domain).empty() && is_x86(domain))
        return wrong(Code::config_unsupported,
                     tr("At least one numa node has to be configured when enabling memory hotplug"));
    return {};
}

Result<> check_numa_cells(const Domain& domain) {
    const auto& cells = cells_of(domain);
    std::set<std::uint32_t> cpus;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (std::ranges::none_of(cells, [&](const NumaCell& c) { return c.id.value_or(i) == i; }))
            return wrong(Code::xml,
                         tr("Exactly one 'cell' element per guest NUMA cell allowed, "
                            "non-contiguous ranges or ranges not starting from 0 are not allowed"));
        if (!cells[i].cpus) continue;
        for (const auto cpu : cells[i].cpus->cpus)
            if (!cpus.insert(cpu).second)
                return wrong(Code::config_unsupported,
                             tr("NUMA cells {0} and {1} have overlapping vCPU ids", i - 1, i));
    }
    if (!cpus.empty() && domain.vcpu && *cpus.rbegin() >= domain.vcpu->count)
        return wrong(Code::xml, tr("CPU IDs in <numa> exceed the <vcpu> count"));
    return {};
}

Result<> check_hugepages(const Domain& domain) {
    const auto& backing = domain.memory_backing;
    if (!backing) return {};
    const auto& cells = cells_of(domain);
    if (!backing->hugepages) return {};
    const auto nodes = std::max<std::size_t>(cells.size(), 1);
    for (const auto& page : backing->hugepages->pages)
        if (page.nodeset)
            for (const auto node : page.nodeset->cpus)
                if (node >= nodes) return wrong(Code::xml_detail, tr("hugepages: node {0} not found", node));
    return {};
}

Result<> check_numatune(const Domain& domain) {
    if (!domain.numatune) return {};
    const auto& tune = *domain.numatune;
    const auto cells = cells_of(domain).size();
    if (!tune.nodes.empty() && cells == 0)
        return wrong(Code::xml, tr("Element 'memnode' is invalid without any guest NUMA cells"));
    std::set<std::uint32_t> seen;
    for (const auto& node : tune.nodes) {
        if (node.cell >= cells)
            return wrong(Code::xml,
                         tr("Argument 'cellid' in numatune/memnode element must correspond to existing "
                            "guest's NUMA cell"));
        if (!seen.insert(node.cell).second)
            return wrong(Code::xml, tr("Multiple memnode elements with cellid {0}", node.cell));
    }
    const auto& memory = tune.memory;
    if (memory && memory->placement != Placement::auto_ && !memory->nodeset)
        return wrong(Code::config_unsupported,
                     tr("nodeset for NUMA memory tuning must be set if 'placement' is 'static'"));
    if (memory && !tune.nodes.empty() && memory->placement == Placement::auto_)
        return wrong(Code::xml, tr("Per-node binding is not compatible with automatic NUMA placement."));
    return {};
}

// ---- vcpus --------------------------------------------------------------------------------

Result<> check_vcpus(const Domain& domain) {
    if (!domain.vcpu) return {};
    const auto& vcpu = *domain.vcpu;
    if (vcpu.count == 0) return wrong(Code::xml, tr("invalid maximum number of vCPUs '{0}'", 0));
    if (vcpu.current && (*vcpu.current == 0 || *vcpu.current > vcpu.count))
        return wrong(Code::internal, tr("maxvcpus must not be less than current vcpus ({0} < {1})",
                                        vcpu.count, *vcpu.current));
    if (domain.vcpus) {
        std::set<std::uint32_t> orders;
        for (const auto& state : domain.vcpus->vcpus) {
            if (state.id >= vcpu.count)
                return wrong(Code::xml, tr("vcpu id '{0}' is out of range of maximum vcpu count", state.id));
            if (state.order && !orders.insert(*state.order).second)
                return wrong(Code::xml, tr("vcpu order '{0}' is a duplicate", *state.order));
        }
    }
    if (!domain.cputune) return {};
    std::set<std::uint32_t> pinned;
    for (const auto& pin : domain.cputune->vcpupin)
        if (!pinned.insert(pin.vcpu).second)
            return wrong(Code::internal, tr("duplicate vcpupin for vcpu '{0}'", pin.vcpu));
    return {};
}

Result<> check_cpu(const Domain& domain, Origin origin) {
    if (!domain.cpu) return {};
    const auto& cpu = *domain.cpu;
    if (cpu.topology && domain.vcpu) {
        const auto& t = *cpu.topology;
        const auto cpus = std::uint64_t{t.sockets} * t.dies.value_or(1) * t.cores * t.threads;
        if (cpus == 0) return wrong(Code::xml, tr("Invalid CPU topology"));
        if (origin == Origin::fresh && cpus != domain.vcpu->count)
            return wrong(Code::config_unsupported, tr("CPU topology doesn't match maximum vcpu count"));
    }
    if (!cpu.cache) return {};
    const auto& cache = *cpu.cache;
    const bool host = cpu.mode == CpuMode::host_passthrough || cpu.mode == CpuMode::maximum;
    if (cache.mode == "emulate" && cache.level != 3u)
        return wrong(Code::config_unsupported,
                     tr("CPU cache mode '{0}' can only be used with level='3'", cache.mode));
    if (cache.mode == "passthrough" && !host)
        return wrong(Code::config_unsupported,
                     tr("CPU cache mode '{0}' can only be used with '{1}' / '{2}' CPUs", cache.mode,
                        "host-passthrough", "maximum"));
    if ((cache.mode == "passthrough" || cache.mode == "disable") && cache.level)
        return wrong(Code::config_unsupported, tr("unsupported CPU cache level for mode '{0}'", cache.mode));
    return {};
}

// ---- operating system ---------------------------------------------------------------------

Result<> check_boot(const Domain& domain) {
    const auto& os = domain.os;
    if (os.bootmenu && os.bootmenu->timeout_ms && *os.bootmenu->timeout_ms > 65535)
        return wrong(Code::config_unsupported,
                     tr("invalid value for boot menu timeout, must be in range [0,65535]"));
    if (os.bios && os.bios->reboot_timeout_ms &&
        (*os.bios->reboot_timeout_ms < -1 || *os.bios->reboot_timeout_ms > 65535))
        return wrong(Code::config_unsupported,
                     tr("invalid value for rebootTimeout, must be in range [-1,65535]"));
    std::set<std::uint32_t> orders;
    for (const auto& device : domain.devices.list) {
        const auto* info = info_of(device);
        if (!info || !info->boot) continue;
        const auto order = info->boot->order;
        if (order == 0)
            return wrong(Code::internal, tr("incorrect boot order '{0}', expecting positive integer", order));
        if (!orders.insert(order).second)
            return wrong(Code::config_unsupported, tr("boot order {0} used for more than one device", order));
        if (!os.boot.empty())
            return wrong(Code::config_unsupported,
                         tr("per-device boot elements cannot be used together with os/boot elements"));
    }
    return {};
}

Result<> check_loader(const Domain& domain) {
    const auto& os = domain.os;
    if (os.firmware) {
        if (os.firmware_features) {
            const auto on = [&](FirmwareFeatureName name) {
                for (const auto& f : os.firmware_features->features)
                    if (f.name == name) return f.enabled == YesNo::yes;
                return false;
            };
            if (os.firmware == OsFirmware::bios && on(FirmwareFeatureName::secure_boot))
                return wrong(Code::xml, tr("firmware feature 'secure-boot' needs firmware 'efi'"));
        }
    } else if (os.loader && !os.loader->path)
        return wrong(Code::xml_detail, tr("no loader path specified and firmware auto selection disabled"));
    const bool uefi = os.firmware == OsFirmware::efi || (os.loader && os.loader->type == LoaderType::pflash);
    if (uefi && is_x86(domain) && !(domain.features && domain.features->acpi))
        return wrong(Code::config_unsupported, tr("UEFI requires ACPI on this architecture"));
    return {};
}

bool two_digits(std::string_view text) {
    return (text.size() == 1 || text.size() == 2) &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
/// mm/dd/yy or mm/dd/yyyy.
bool is_bios_date(std::string_view text) {
    const auto first = text.find('/');
    const auto second = first == std::string_view::npos ? first : text.find('/', first + 1);
    if (second == std::string_view::npos) return false;
    const auto month = text.substr(0, first), day = text.substr(first + 1, second - first - 1);
    auto year = text.substr(second + 1);
    if (!two_digits(month) || !two_digits(day)) return false;
    const auto value = [](std::string_view t) { return *xml::Scalar<int>::read(t); };
    if (value(month) < 1 || value(month) > 12 || value(day) < 1 || value(day) > 31) return false;
    if (year.size() == 4 && (year.starts_with("19") || year.starts_with("20"))) year.remove_prefix(2);
    return year.size() == 2 && two_digits(year);
}

Result<> check_sysinfo(const Domain& domain) {
    for (const auto& info : domain.sysinfo) {
        if (!info.bios) continue;
        for (const auto& entry : info.bios->entries)
            if (entry.name == "date" && entry.value && !is_bios_date(*entry.value))
                return wrong(Code::xml_detail, tr("Invalid BIOS 'date' format"));
    }
    return {};
}

Result<> check_features(const Domain& domain) {
    if (!domain.features) return {};
    const auto& features = *domain.features;
    if (features.smm && features.smm->tseg && !is_q35(domain))
        return wrong(Code::config_unsupported, tr("SMM TSEG is only supported with q35 machine type"));
    if (is_x86(domain))
        for (const auto& other : features.rest.children)
            for (const std::string_view name :
                 {"hpt", "htm", "nested-hv", "ccf-assist", "cfpc", "sbbc", "ibs", "gic"})
                if (other.name == name)
                    return wrong(
                        Code::config_unsupported,
                        tr("The '{0}' feature is not supported for architecture '{1}' or machine type '{2}'",
                           name, domain.os.type.arch.value_or("x86_64"), machine_of(domain)));
    return {};
}

// ---- labels -------------------------------------------------------------------------------

Result<> check_seclabels(const Domain& domain) {
    const auto& labels = domain.seclabels;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto& label = labels[i];
        if (!label.model && labels.size() > 1)
            return wrong(Code::xml, tr("missing security model when using multiple labels"));
        for (std::size_t j = 0; j < i; ++j)
            if (labels[j].model == label.model)
                return wrong(Code::xml_detail,
                             tr("seclabel for model {0} is already provided", *label.model));
        const auto type = label.type.value_or(SecLabelType::dynamic);
        if (type == SecLabelType::dynamic && label.relabel == YesNo::no)
            return wrong(Code::config_unsupported, tr("dynamic label type must use resource relabeling"));
        if (type == SecLabelType::none && label.relabel == YesNo::yes)
            return wrong(Code::config_unsupported,
                         tr("resource relabeling is not compatible with 'none' label type"));
        if (type == SecLabelType::static_ && !label.label)
            return wrong(Code::xml, tr("security label is missing"));
        if (!label.model &&
            (type == SecLabelType::static_ || (type == SecLabelType::dynamic && label.baselabel)))
            return wrong(Code::xml, tr("missing security model in domain seclabel"));
    }
    return {};
}

/// Labels of one resource: at most one per model, and only where the guest's resources are labelled at all.
Result<> check_device_labels(const std::vector<DeviceSecLabel>& labels, const Domain& domain) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto& label = labels[i];
        for (std::size_t j = 0; j < i; ++j)
            if (labels[j].model == label.model)
                return wrong(Code::xml_detail, tr("seclabel for model {0} is already provided",
                                                  label.model.value_or(std::string{})));
        if (!label.model || !label.label) continue;
        for (const auto& whole : domain.seclabels) {
            if (whole.model != label.model) continue;
            const auto relabels = whole.relabel.value_or(
                whole.type.value_or(SecLabelType::dynamic) == SecLabelType::dynamic ? YesNo::yes : YesNo::no);
            if (relabels == YesNo::no)
                return wrong(Code::config_unsupported,
                             tr("label overrides require relabeling to be enabled at the domain level"));
        }
    }
    return {};
}

Result<> check_labels_of(const Chardev& chardev, const Domain& domain) {
    return std::visit(
        [&](const auto& how) -> Result<> {
            if constexpr (requires { how.source->seclabels; })
                if (how.source) return check_device_labels(how.source->seclabels, domain);
            return {};
        },
        chardev.how);
}

Result<> check_source_labels(const Domain& domain) {
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (disk->source) TRY(check_device_labels(disk->source->seclabels, domain));
        for (const auto* layer = disk->backing_store ? &*disk->backing_store : nullptr; layer;
             layer = layer->below.empty() ? nullptr : &layer->below.front())
            if (layer->source) TRY(check_device_labels(layer->source->seclabels, domain));
    }
    for (const auto& device : domain.devices.list)
        TRY(std::visit(
            [&](const auto& d) -> Result<> {
                if constexpr (requires { d.chardev.how; }) return check_labels_of(d.chardev, domain);
                return {};
            },
            device));
    return {};
}

// ---- devices together ---------------------------------------------------------------------

Result<> check_pci_values(const Domain& domain) {
    for (const auto& device : domain.devices.list) {
        const auto* info = info_of(device);
        const auto* pci = info ? address_of<PciAddress>(*info) : nullptr;
        if (!pci) continue;
        const auto over = [](const auto& field, std::uint32_t most) { return field && field->value > most; };
        if (over(pci->domain, 0xFFFF))
            return wrong(Code::xml,
                         tr("Invalid PCI address domain='0x{0:x}', must be <= 0xFFFF", pci->domain->value));
        if (over(pci->bus, 0xFF))
            return wrong(Code::xml,
                         tr("Invalid PCI address bus='0x{0:x}', must be <= 0xFF", pci->bus->value));
        if (over(pci->slot, 0x1F))
            return wrong(Code::xml,
                         tr("Invalid PCI address slot='0x{0:x}', must be <= 0x1F", pci->slot->value));
        if (over(pci->function, 7))
            return wrong(Code::xml,
                         tr("Invalid PCI address function=0x{0:x}, must be <= 7", pci->function->value));
    }
    return {};
}

/// "1", or behind hubs "1.2.3": at most four numbers.
bool is_usb_port(std::string_view text) {
    int parts = 0;
    for (bool more = true; more; ++parts) {
        const auto dot = text.find('.');
        if (!xml::Scalar<std::uint8_t>::read(text.substr(0, dot))) return false;
        more = dot != std::string_view::npos;
        if (more) text.remove_prefix(dot + 1);
    }
    return parts <= 4;
}
Result<> check_usb_ports(const Domain& domain) {
    for (const auto& device : domain.devices.list) {
        const auto* info = info_of(device);
        const auto* usb = info ? address_of<UsbAddress>(*info) : nullptr;
        if (usb && usb->port && !is_usb_port(*usb->port))
            return wrong(Code::internal, tr("Cannot parse <address> 'port' attribute"));
    }
    return {};
}

bool is_drive_bus(DiskBus bus) {
    return bus == DiskBus::ide || bus == DiskBus::sata || bus == DiskBus::scsi || bus == DiskBus::fdc;
}

Result<> check_drive_addresses(const Domain& domain) {
    using Place = std::tuple<DiskBus, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;
    std::set<Place> used;
    std::set<std::string> targets;
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (disk->target.dev && !targets.insert(*disk->target.dev).second)
            return wrong(Code::xml, tr("target '{0}' duplicated for disk sources '{1}' and '{2}'",
                                       *disk->target.dev, "", ""));
        const auto* at = address_of<DriveAddress>(disk->info);
        if (!at || !disk->target.bus || !is_drive_bus(*disk->target.bus)) continue;
        const Place place{*disk->target.bus, at->controller.value_or(0), at->bus.value_or(0),
                          at->target.value_or(0), at->unit.value_or(0)};
        if (!used.insert(place).second)
            return wrong(Code::config_unsupported,
                         tr("Found duplicate drive address for disk with target name '{0}' controller='{1}' "
                            "bus='{2}' target='{3}' unit='{4}'",
                            disk->target.dev.value_or(""), std::get<1>(place), std::get<2>(place),
                            std::get<3>(place), std::get<4>(place)));
    }
    return {};
}

Result<> check_controllers(const Domain& domain) {
    std::set<std::pair<ControllerType, std::uint32_t>> seen;
    std::set<std::uint32_t> usb_masters, usb_companions;
    for (const auto* controller : devices_of<Controller>(domain)) {
        if (!controller->type || !controller->index) continue;
        const auto index = controller->index->value;
        if (*controller->type == ControllerType::usb) {
            const bool companion =
                controller->master || (controller->model && controller->model->starts_with("ich9-uhci"));
            (companion ? usb_companions : usb_masters).insert(index);
            if (companion) continue;
        }
        if (!seen.insert({*controller->type, index}).second)
            return wrong(Code::xml, tr("Multiple '{0}' controllers with index '{1}'",
                                       names<ControllerType>.text(*controller->type), index));
    }
    for (const auto index : usb_companions)
        if (!usb_masters.contains(index))
            return wrong(Code::xml_detail, tr("No master USB controller specified"));
    return {};
}

Result<> check_videos(const Domain& domain) {
    const auto videos = devices_of<Video>(domain);
    if (videos.size() > 1)
        for (const auto* video : videos)
            if (video->model && video->model->type == VideoType::none)
                return wrong(Code::config_unsupported,
                             tr("a 'none' video type must be the only video device defined for the domain"));
    return {};
}

/// At most one of these per guest.
template <class D> Result<> check_single(const Domain& domain, const char* what) {
    if (devices_of<D>(domain).size() > 1)
        return wrong(Code::xml, tr("only a single {0} device is supported", what));
    return {};
}

} // namespace

Result<> check_domain(const Domain& domain, Origin origin) {
    using Rule = Result<> (*)(const Domain&);
    static constexpr Rule rules[] = {
        check_memory,          check_numa_cells,  check_hugepages,  check_numatune,
        check_vcpus,           check_boot,        check_loader,     check_sysinfo,
        check_features,        check_seclabels,   check_pci_values, check_usb_ports,
        check_drive_addresses, check_controllers, check_videos,     check_source_labels,
    };
    for (const auto rule : rules) TRY(rule(domain));
    TRY(check_cpu(domain, origin));
    TRY(check_single<Memballoon>(domain, "memory balloon"));
    TRY(check_single<Vsock>(domain, "vsock"));
    return check_single<Nvram>(domain, "nvram");
}

} // namespace cloister
