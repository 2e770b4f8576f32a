#include "driver/plan/check.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"

#include <algorithm>
#include <set>

namespace cloister {

namespace {

Result<> check_secure_boot(const Domain& domain) {
    const auto& os = domain.os;
    const bool smm_on = domain.features && domain.features->smm &&
                        domain.features->smm->state.value_or(Switch::on) == Switch::on;
    if (!os.loader || os.loader->secure != YesNo::yes || os.firmware) return {};
    if (!is_q35(domain))
        return fail(Code::config_unsupported, tr("Secure boot is supported with q35 machine types only"));
    if (!smm_on) return fail(Code::config_unsupported, tr("Secure boot requires SMM feature enabled"));
    return {};
}

Result<> check_vcpu_limit(const Domain& domain, const QemuCaps* caps) {
    const auto count = domain.vcpu ? domain.vcpu->count : 1;
    const auto* machine = caps && domain.os.type.machine ? caps->machine(*domain.os.type.machine) : nullptr;
    if (machine && machine->max_cpus && count > machine->max_cpus)
        return fail(Code::config_unsupported,
                    tr("Maximum CPUs greater than specified machine type limit {0}", machine->max_cpus));
    return {};
}

Result<> check_memory_modules(const Domain& domain) {
    const auto modules = devices_of<MemoryModule>(domain);
    if (domain.max_memory && modules.size() > domain.max_memory->slots)
        return fail(Code::config_unsupported, tr("memory device count '{0}' exceeds slots count '{1}'",
                                                 modules.size(), domain.max_memory->slots));
    std::set<std::uint32_t> slots;
    for (const auto* module : modules)
        if (const auto* dimm = address_of<DimmAddress>(module->info); dimm && dimm->slot) {
            if (!slots.insert(*dimm->slot).second)
                return fail(Code::config_unsupported,
                            tr("memory device slot '{0}' is already being used by another "
                               "memory device",
                               *dimm->slot));
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
            return fail(Code::xml_detail,
                        tr("Can't add another USB controller: USB is disabled for this domain"));
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

Result<> check_displays(const Domain& domain) {
    int gl = 0;
    for (const auto* g : devices_of<Graphics>(domain)) {
        if (const auto* spice = std::get_if<Spice>(&g->kind);
            spice && spice->gl && spice->gl->enable == YesNo::yes)
            ++gl;
        if (std::holds_alternative<EglHeadless>(g->kind)) ++gl;
        if (const auto* sdl = std::get_if<Sdl>(&g->kind); sdl && sdl->gl && sdl->gl->enable == YesNo::yes)
            ++gl;
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
    if (ramfb > 1) return fail(Code::config_unsupported, tr("Only one vgpu device can have 'ramfb' enabled"));
    return {};
}

Result<> check_scsi_units(const Domain& domain) {
    const auto text = [](const DriveAddress& a) {
        return tr("controller='{0}' bus='{1}' target='{2}' unit='{3}'", a.controller.value_or(0),
                  a.bus.value_or(0), a.target.value_or(0), a.unit.value_or(0));
    };
    std::vector<const DriveAddress*> taken;
    const auto same = [](const DriveAddress& a, const DriveAddress& b) {
        return a.controller.value_or(0) == b.controller.value_or(0) &&
               a.bus.value_or(0) == b.bus.value_or(0) && a.target.value_or(0) == b.target.value_or(0) &&
               a.unit.value_or(0) == b.unit.value_or(0);
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

Result<> check_aliases(const Domain& domain) {
    std::set<std::string> aliases;
    for (const auto& device : domain.devices.list) {
        const auto alias = alias_of(device);
        if (!alias.starts_with("ua-") || std::holds_alternative<Console>(device)) continue;
        if (!aliases.insert(std::string(alias)).second)
            return fail(Code::xml, tr("non unique alias detected: {0}", alias));
    }
    return {};
}

} // namespace

Result<> check_kind(const Domain& domain, const QemuCaps* caps, const HostFacts& facts) {
    if (!domain.os.type.type.empty() && domain.os.type.type != "hvm")
        return fail(Code::config_unsupported, tr("Emulator '{0}' does not support os type '{1}'",
                                                 domain.devices.emulator.value_or(""), domain.os.type.type));
    const auto emulator = domain.devices.emulator.value_or(caps ? caps->emulator : std::string());
    if (domain.type != VirtType::qemu && domain.type != VirtType::kvm)
        return fail(Code::config_unsupported, tr("Emulator '{0}' does not support virt type '{1}'", emulator,
                                                 names<VirtType>.text(domain.type)));
    const auto arch = domain.os.type.arch.value_or(facts.arch);
    const bool same =
        !caps || arch == caps->arch || (arch == "i686" && (caps->arch == "i386" || caps->arch == "x86_64"));
    if (!same)
        return fail(Code::config_unsupported,
                    tr("Emulator '{0}' does not support arch '{1}'", emulator, arch));
    return {};
}

Result<> check_pci_controllers(const Domain& domain, const QemuCaps* caps) {
    if (!caps) return {};
    for (const auto* c : devices_of<Controller>(domain)) {
        if (c->type != ControllerType::pci) continue;
        const auto model = c->model.value_or("");
        if ((!c->index || c->index->value == 0) && (is_q35(domain) || is_i440fx(domain))) {
            const std::string expected = is_q35(domain) ? "pcie-root" : "pci-root";
            if (model != expected)
                return fail(Code::xml,
                            tr("The PCI controller with index='0' must be model='{0}' for this machine "
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

Result<> check_domain(const Domain& domain, const QemuCaps* caps, const QemuConf&, const HostFacts&) {
    TRY(check_vcpu_limit(domain, caps));
    TRY(check_secure_boot(domain));
    TRY(check_memory_modules(domain));
    TRY(check_usb(domain));
    TRY(check_displays(domain));
    TRY(check_hostdevs(domain));
    TRY(check_scsi_units(domain));
    return check_aliases(domain);
}

} // namespace cloister
