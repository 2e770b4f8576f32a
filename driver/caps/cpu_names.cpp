#include "driver/caps/cpu_names.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace cloister {

namespace {

struct Twin {
    std::string_view xml, qemu;
};
/// QEMU renamed these to hyphens long after definitions had begun to use them.
constexpr std::array twins{
    Twin{"cmp_legacy", "cmp-legacy"},       Twin{"ds_cpl", "ds-cpl"},
    Twin{"fxsr_opt", "fxsr-opt"},           Twin{"kvm_pv_eoi", "kvm-pv-eoi"},
    Twin{"kvm_pv_unhalt", "kvm-pv-unhalt"}, Twin{"lahf_lm", "lahf-lm"},
    Twin{"nodeid_msr", "nodeid-msr"},       Twin{"pclmuldq", "pclmulqdq"},
    Twin{"perfctr_core", "perfctr-core"},   Twin{"perfctr_nb", "perfctr-nb"},
    Twin{"tsc_adjust", "tsc-adjust"},
};

constexpr std::array<std::string_view, 8> generic_models{"486",      "kvm32",    "kvm64",  "pentium",
                                                         "pentium2", "pentium3", "qemu32", "qemu64"};

/// What stands among the properties but is nothing that a guest's CPUID shows as a feature of the processor,
/// or is chosen elsewhere in a definition.
bool is_feature(std::string_view name) {
    return !name.starts_with("kvm") && !name.starts_with("hv-") && !name.starts_with("vmx-") &&
           !name.starts_with("xen-") && name != "hypervisor-cpuid" && name != "pmu" && name != "migratable" &&
           name != "sgx-debug" && !name.starts_with("sgx") && name != "tcg-cpuid";
}

bool has(const CpuExpansion& cpu, const std::string& feature) {
    const auto found = cpu.properties.find(feature);
    return found != cpu.properties.end() && found->second == "true";
}
std::string property(const CpuExpansion& cpu, const std::string& name) {
    const auto found = cpu.properties.find(name);
    return found == cpu.properties.end() ? std::string() : found->second;
}

/// The vendor id of a named model. Under KVM every model carries the host's, so TCG is asked when it can be.
std::string vendor_of(const QemuCaps& caps, bool kvm, std::string_view model) {
    const auto& models = caps.models_tcg.empty() && kvm ? caps.models_kvm : caps.models_tcg;
    const auto found = models.find(model);
    return found == models.end() ? std::string() : property(found->second, "vendor");
}

/// Features that `in` has and `other` lacks, in the definition's names.
std::vector<std::string> beyond(const CpuExpansion& in, const CpuExpansion& other) {
    std::vector<std::string> out;
    for (const auto& [name, value] : in.properties)
        if (value == "true" && is_feature(name) && !has(other, name)) out.emplace_back(feature_in_xml(name));
    std::ranges::sort(out);
    return out;
}

} // namespace

std::string_view feature_in_xml(std::string_view qemu) {
    const auto found = std::ranges::find(twins, qemu, &Twin::qemu);
    return found == twins.end() ? qemu : found->xml;
}
std::string_view feature_in_qemu(std::string_view xml) {
    const auto found = std::ranges::find(twins, xml, &Twin::xml);
    return found == twins.end() ? xml : found->qemu;
}
std::string_view vendor_in_xml(std::string_view id) {
    if (id == "GenuineIntel") return "Intel";
    if (id == "AuthenticAMD") return "AMD";
    if (id == "HygonGenuine") return "Hygon";
    return id;
}

std::optional<CpuDescription> host_model(const QemuCaps& caps, bool kvm) {
    const auto& host = kvm ? caps.host_kvm : caps.host_tcg;
    const auto& models = kvm ? caps.models_kvm : caps.models_tcg;
    if (!host) return std::nullopt;
    const auto vendor = property(*host, "vendor");
    std::optional<CpuDescription> best;
    auto cost = [&](const CpuDescription& one) { return one.required.size() + one.disabled.size(); };
    // In QEMU's order, so that the same QEMU on the same host always says the same.
    for (const auto& cpu : kvm ? caps.cpus_kvm : caps.cpus_tcg) {
        const auto model = models.find(cpu.name);
        const bool generic = std::ranges::count(generic_models, cpu.name) > 0;
        if (model == models.end() || cpu.deprecated || generic || vendor_of(caps, kvm, cpu.name) != vendor)
            continue;
        CpuDescription one{cpu.name, std::string(vendor_in_xml(vendor)), beyond(*host, model->second),
                           beyond(model->second, *host)};
        if (!best || cost(one) < cost(*best)) best = std::move(one);
    }
    return best;
}

std::string model_vendor(const QemuCaps& caps, bool kvm, std::string_view model) {
    if (std::ranges::count(generic_models, model) > 0) return "unknown";
    const auto vendor = vendor_of(caps, kvm, model);
    return vendor.empty() ? "unknown" : std::string(vendor_in_xml(vendor));
}

} // namespace cloister
