#include "driver/plan/check.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"

#include <algorithm>
#include <set>

namespace cloister {

namespace {

Result<> check_memory(const Domain& domain) {
    const bool numa = domain.cpu && domain.cpu->numa && !domain.cpu->numa->cells.empty();
    if ((!domain.memory || domain.memory->kib == 0) && !numa)
        return fail(Code::xml, tr("Memory size must be specified via <memory> or in the <numa> configuration"));
    return {};
}

Result<> check_numa(const Domain& domain) {
    const std::size_t cells = domain.cpu && domain.cpu->numa ? domain.cpu->numa->cells.size() : 0;
    std::set<std::uint32_t> ids;
    if (domain.cpu && domain.cpu->numa)
        for (std::uint32_t i = 0; i < cells; ++i) ids.insert(domain.cpu->numa->cells[i].id.value_or(i));
    if (ids.size() != cells || (cells > 0 && *ids.rbegin() != cells - 1))
        return fail(Code::xml, tr("Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges "
                                  "or ranges not starting from 0 are not allowed"));
    if (domain.numatune) {
        const auto& tune = *domain.numatune;
        if (!tune.nodes.empty() && cells == 0)
            return fail(Code::xml, tr("Element 'memnode' is invalid without any guest NUMA cells"));
        for (const auto& node : tune.nodes)
            if (node.cell >= cells)
                return fail(Code::xml, tr("Argument 'cellid' in memnode element must correspond to existing "
                                          "guest's NUMA cell"));
        if (tune.memory && tune.memory->placement == Placement::static_ && !tune.memory->nodeset)
            return fail(Code::config_unsupported, tr("nodeset for NUMA memory tuning must be set if 'placement' "
                                                     "is 'static'"));
    }
    if (domain.memory_backing && domain.memory_backing->hugepages)
        for (const auto& page : domain.memory_backing->hugepages->pages)
            if (page.nodeset)
                for (const auto node : page.nodeset->cpus)
                    if (node >= std::max<std::size_t>(cells, 1))
                        return fail(Code::xml_detail, tr("hugepages: node {0} not found", node));
    return {};
}

Result<> check_os(const Domain& domain) {
    const auto& os = domain.os;
    if (!os.firmware && os.nvram && (!os.loader || !os.loader->path))
        return fail(Code::xml_detail, tr("no loader path specified and firmware auto selection disabled"));
    const bool acpi = domain.features && domain.features->acpi;
    const bool uefi = os.firmware == OsFirmware::efi ||
                      (os.loader && os.loader->type == LoaderType::pflash && os.loader->path);
    if (uefi && !acpi && os.type.arch.value_or("x86_64") == "x86_64" && is_q35(domain))
        return fail(Code::config_unsupported, tr("UEFI requires ACPI on this architecture"));
    if (os.bootmenu && os.bootmenu->timeout_ms && *os.bootmenu->timeout_ms > 65535)
        return fail(Code::config_unsupported,
                    tr("invalid value for boot menu timeout, must be in range [0,65535]"));
    if (os.bios && os.bios->reboot_timeout_ms && (*os.bios->reboot_timeout_ms < -1 || *os.bios->reboot_timeout_ms > 65535))
        return fail(Code::config_unsupported, tr("invalid value for rebootTimeout, must be in range [-1,65535]"));
    const bool smm_on = domain.features && domain.features->smm &&
                        domain.features->smm->state.value_or(Switch::on) == Switch::on;
    if (os.loader && os.loader->secure == YesNo::yes && !os.firmware) {
        if (!is_q35(domain))
            return fail(Code::config_unsupported, tr("Secure boot is supported with q35 machine types only"));
        if (!smm_on) return fail(Code::config_unsupported, tr("Secure boot requires SMM feature enabled"));
    }
    if (domain.features && domain.features->smm && domain.features->smm->tseg && !is_q35(domain))
        return fail(Code::config_unsupported, tr("SMM TSEG is only supported with q35 machine type"));
    return {};
}

Result<> check_smbios(const Domain& domain) {
    for (const auto& sysinfo : domain.sysinfo) {
        if (!sysinfo.bios) continue;
        for (const auto& entry : sysinfo.bios->entries) {
            if (entry.name != "date" || !entry.value) continue;
            // MM/DD/YYYY or MM/DD/YY
            const auto& d = *entry.value;
            const auto digit = [&](std::size_t i) { return i < d.size() && d[i] >= '0' && d[i] <= '9'; };
            const auto slash1 = d.find('/');
            const auto slash2 = slash1 == std::string::npos ? slash1 : d.find('/', slash1 + 1);
            bool good = slash2 != std::string::npos && slash1 > 0 && slash2 > slash1 + 1 && slash2 + 1 < d.size();
            for (std::size_t i = 0; good && i < d.size(); ++i) good = i == slash1 || i == slash2 || digit(i);
            if (good) {
                const auto number = [&](std::size_t a, std::size_t b) {
                    return xml::Scalar<unsigned>::read(std::string_view(d).substr(a, b - a)).value_or(0);
                };
                const auto month = number(0, slash1), day = number(slash1 + 1, slash2);
                const auto year = number(slash2 + 1, d.size());
                good = month >= 1 && month <= 12 && day >= 1 && day <= 31 && (year <= 99 || year >= 1900);
            }
            if (!good) return fail(Code::xml_detail, tr("Invalid BIOS 'date' format"));
        }
    }
    return {};
}

Result<> check_vcpus(const Domain& domain, const QemuCaps* caps) {
    const auto vcpu = domain.vcpu.value_or(Vcpu{});
    if (vcpu.count == 0) return fail(Code::xml, tr("invalid domain vCPU count"));
    if (vcpu.current && *vcpu.current > vcpu.count)
        return fail(Code::internal, tr("maxvcpus must not be less than current vcpus ({0} < {1})", vcpu.count,
                                       *vcpu.current));
    const auto* machine = caps && domain.os.type.machine ? caps->machine(*domain.os.type.machine) : nullptr;
    if (machine && machine->max_cpus && vcpu.count > machine->max_cpus)
        return fail(Code::config_unsupported,
                    tr("Maximum CPUs greater than specified machine type limit {0}", machine->max_cpus));
    return {};
}

Result<> check_memory_modules(const Domain& domain) {
    const bool numa = domain.cpu && domain.cpu->numa && !domain.cpu->numa->cells.empty();
    if (domain.max_memory && domain.max_memory->slots > 0 && !numa)
        return fail(Code::config_unsupported,
                    tr("At least one numa node has to be configured when enabling memory hotplug"));
    if (domain.max_memory && domain.memory && domain.max_memory->kib < domain.memory->kib)
        return fail(Code::xml, tr("maximum memory size must be equal or greater than the actual memory size"));
    const auto modules = devices_of<MemoryModule>(domain);
    if (domain.max_memory && modules.size() > domain.max_memory->slots)
        return fail(Code::config_unsupported, tr("memory device count '{0}' exceeds slots count '{1}'", modules.size(),
                                                 domain.max_memory->slots));
    std::set<std::uint32_t> slots;
    for (const auto* module : modules)
        if (const auto* dimm = address_of<DimmAddress>(module->info); dimm && dimm->slot) {
            if (!slots.insert(*dimm->slot).second)
                return fail(Code::config_unsupported, tr("memory device slot '{0}' is already being used by another "
                                                         "memory device",
                                                         *dimm->slot));
        }
    return {};
}

/// Several lists that share one number space.
Result<> check_controllers(const Domain& domain, const QemuCaps* caps) {
    std::set<std::pair<int, std::uint32_t>> seen;
    for (const auto* c : devices_of<Controller>(domain)) {
        if (!c->type || c->master) continue;
        const auto index = c->index ? c->index->value : 0;
        if (c->type == ControllerType::usb && c->model && c->model->starts_with("ich9-uhci")) continue;
        if (!seen.insert({static_cast<int>(*c->type), index}).second)
            return fail(Code::xml, tr("Multiple '{0}' controllers with index '{1}'",
                                      names<ControllerType>.text(*c->type), index));
        if (!caps || c->type != ControllerType::pci) continue;
        const auto model = c->model.value_or("");
        if (index == 0 && (is_q35(domain) || is_i440fx(domain))) {
            const std::string expected = is_q35(domain) ? "pcie-root" : "pci-root";
            if (model != expected)
                return fail(Code::xml, tr("The PCI controller with index='0' must be model='{0}' for this machine "
                                          "type, but model='{1}' was found instead",
                                          expected, model));
        }
        if (model == "pcie-expander-bus" && !is_q35(domain))
            return fail(Code::config_unsupported,
                        tr("{0} controllers are not supported with this machine type", model));
        if (model == "pci-expander-bus" && !is_i440fx(domain))
            return fail(Code::config_unsupported,
                        tr("{0} controllers are not supported with this machine type", model));
    }
    return {};
}

Result<> check_usb(const Domain& domain) {
    bool disabled = false;
    for (const auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::usb && c->model == "none") disabled = true;
    if (!disabled) return {};
    for (const auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::usb && c->model != "none")
            return fail(Code::xml_detail, tr("Can't add another USB controller: USB is disabled for this domain"));
    const auto refuse = [](const char* what) {
        return fail(Code::config_unsupported, tr("Can't add USB {0} device. USB bus is disabled", what));
    };
    for (const auto* i : devices_of<Input>(domain))
        if (i->bus == InputBus::usb) return refuse("input");
    for (const auto* d : devices_of<Disk>(domain))
        if (d->target.bus == DiskBus::usb) return refuse("disk");
    for (const auto* h : devices_of<Hostdev>(domain))
        if (std::holds_alternative<UsbHostdev>(h->host)) return refuse("hostdev");
    if (!devices_of<Hub>(domain).empty()) return refuse("hub");
    if (!devices_of<Redirdev>(domain).empty()) return refuse("redirdev");
    return {};
}

Result<> check_video(const Domain& domain) {
    const auto videos = devices_of<Video>(domain);
    if (videos.size() > 1)
        for (const auto* v : videos)
            if (v->model && v->model->type == VideoType::none)
                return fail(Code::config_unsupported, tr("a 'none' video type must be the only video device "
                                                         "defined for the domain"));
    int gl = 0;
    for (const auto* g : devices_of<Graphics>(domain)) {
        if (const auto* spice = std::get_if<Spice>(&g->kind); spice && spice->gl && spice->gl->enable == YesNo::yes) ++gl;
        if (std::holds_alternative<EglHeadless>(g->kind)) ++gl;
        if (const auto* sdl = std::get_if<Sdl>(&g->kind); sdl && sdl->gl && sdl->gl->enable == YesNo::yes) ++gl;
    }
    if (gl > 1)
        return fail(Code::config_unsupported, tr("multiple OpenGL displays are not supported by QEMU"));
    return {};
}

Result<> check_hostdevs(const Domain& domain) {
    const auto hostdevs = devices_of<Hostdev>(domain);
    int ramfb = 0;
    for (std::size_t i = 0; i < hostdevs.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j)
            if (hostdevs[i]->host == hostdevs[j]->host)
                return fail(Code::xml, tr("Hostdev already exists in the domain configuration"));
        if (hostdevs[i]->ramfb == Switch::on) ++ramfb;
        if (hostdevs[i]->display == Switch::on && devices_of<Graphics>(domain).empty())
            return fail(Code::config_unsupported,
                        tr("graphics device is needed for attribute value 'display=on' in <hostdev>"));
    }
    if (ramfb > 1)
        return fail(Code::config_unsupported, tr("Only one vgpu device can have 'ramfb' enabled"));
    return {};
}

Result<> check_scsi_units(const Domain& domain) {
    const auto text = [](const DriveAddress& a) {
        return tr("controller='{0}' bus='{1}' target='{2}' unit='{3}'", a.controller.value_or(0), a.bus.value_or(0),
                  a.target.value_or(0), a.unit.value_or(0));
    };
    std::vector<const DriveAddress*> taken;
    const auto same = [](const DriveAddress& a, const DriveAddress& b) {
        return a.controller.value_or(0) == b.controller.value_or(0) && a.bus.value_or(0) == b.bus.value_or(0) &&
               a.target.value_or(0) == b.target.value_or(0) && a.unit.value_or(0) == b.unit.value_or(0);
    };
    for (const auto* h : devices_of<Hostdev>(domain)) {
        const auto* mine = address_of<DriveAddress>(h->info);
        if (!std::holds_alternative<ScsiHostdev>(h->host) || !mine) continue;
        for (const auto* disk : devices_of<Disk>(domain))
            if (const auto* other = address_of<DriveAddress>(disk->info);
                other && disk->target.bus == DiskBus::scsi && same(*mine, *other))
                return fail(Code::config_unsupported,
                            tr("using disk target name '{0}' conflicts with SCSI host device address {1}",
                               disk->target.dev.value_or(""), text(*mine)));
        for (const auto* other : taken)
            if (same(*mine, *other))
                return fail(Code::config_unsupported,
                            tr("SCSI host address {0} in use by another SCSI host device", text(*mine)));
        taken.push_back(mine);
    }
    return {};
}

Result<> check_names(const Domain& domain) {
    std::set<std::string> targets, aliases;
    for (const auto* disk : devices_of<Disk>(domain))
        if (const auto& dev = disk->target.dev; dev && !targets.insert(*dev).second)
            return fail(Code::xml, tr("target '{0}' duplicated for disk sources '{1}' and '{2}'", *dev, "", ""));
    for (const auto& device : domain.devices.list) {
        const auto alias = alias_of(device);
        if (!alias.starts_with("ua-") || std::holds_alternative<Console>(device)) continue;
        if (!aliases.insert(std::string(alias)).second)
            return fail(Code::xml, tr("non unique alias detected: {0}", alias));
    }
    std::set<std::uint32_t> orders;
    for (const auto& device : domain.devices.list)
        if (const auto* info = info_of(device); info && info->boot) {
            if (info->boot->order == 0)
                return fail(Code::xml, tr("incorrect boot order '{0}', expecting positive integer", 0));
            if (!orders.insert(info->boot->order).second)
                return fail(Code::xml, tr("boot order '{0}' used for more than one device", info->boot->order));
        }
    if (!orders.empty() && !domain.os.boot.empty())
        return fail(Code::config_unsupported, tr("per-device boot elements cannot be used together with os/boot "
                                                 "elements"));
    return {};
}

} // namespace

Result<> check_kind(const Domain& domain, const QemuCaps* caps, const HostFacts& facts) {
    if (!domain.os.type.type.empty() && domain.os.type.type != "hvm")
        return fail(Code::config_unsupported,
                    tr("Emulator '{0}' does not support os type '{1}'", domain.devices.emulator.value_or(""),
                       domain.os.type.type));
    const auto emulator = domain.devices.emulator.value_or(caps ? caps->emulator : std::string());
    if (domain.type != VirtType::qemu && domain.type != VirtType::kvm)
        return fail(Code::config_unsupported, tr("Emulator '{0}' does not support virt type '{1}'", emulator,
                                                 names<VirtType>.text(domain.type)));
    const auto arch = domain.os.type.arch.value_or(facts.arch);
    const bool same = !caps || arch == caps->arch || (arch == "i686" && (caps->arch == "i386" || caps->arch == "x86_64"));
    if (!same)
        return fail(Code::config_unsupported, tr("Emulator '{0}' does not support arch '{1}'", emulator, arch));
    return {};
}

Result<> check_text(const Domain& domain) {
    TRY(check_memory(domain));
    return check_numa(domain);
}

Result<> check_domain(const Domain& domain, const QemuCaps* caps, const QemuConf&, const HostFacts&) {
    TRY(check_vcpus(domain, caps));
    TRY(check_os(domain));
    TRY(check_smbios(domain));
    TRY(check_memory_modules(domain));
    TRY(check_controllers(domain, caps));
    TRY(check_usb(domain));
    TRY(check_video(domain));
    TRY(check_hostdevs(domain));
    TRY(check_scsi_units(domain));
    return check_names(domain);
}

} // namespace cloister
