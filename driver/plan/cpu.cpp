#include "driver/plan/cpu.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/caps/cpu_names.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cloister {

namespace {

bool on(const std::optional<FeatureState>& state) {
    return state && state->state.value_or(Switch::on) == Switch::on;
}

/// "qemu64-x86_64-cpu" -> "qemu64".
std::string model_of_type(std::string_view type) {
    for (const std::string_view tail : {"-x86_64-cpu", "-i386-cpu"})
        if (type.ends_with(tail)) return std::string(type.substr(0, type.size() - tail.size()));
    return std::string(type);
}

bool is_kvm(const Domain& domain) { return domain.type == VirtType::kvm; }

const QemuCpu* find(const std::vector<QemuCpu>& cpus, std::string_view name) {
    const auto at = std::ranges::find(cpus, name, &QemuCpu::name);
    return at == cpus.end() ? nullptr : &*at;
}
bool knows_model(const QemuCaps& caps, std::string_view name) {
    const bool asked = !caps.cpus_kvm.empty() || !caps.cpus_tcg.empty();
    return !asked || find(caps.cpus_kvm, name) || find(caps.cpus_tcg, name);
}

class CpuText {
public:
    explicit CpuText(std::string_view model) : text_(model) {}
    void feature(std::string_view name, bool enabled) {
        text_ += fmt::format(",{}={}", name, enabled ? "on" : "off");
    }
    void word(std::string_view text) { text_ += fmt::format(",{}", text); }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

Result<std::string> model_text(const Domain& domain, const Cpu& cpu, const QemuCaps& caps) {
    switch (cpu.mode.value_or(CpuMode::custom)) {
    case CpuMode::host_passthrough: {
        if (!is_kvm(domain))
            return fail(Code::config_unsupported,
                        tr("CPU mode '{0}' for {1} {2} domain on {3} host is not supported by hypervisor",
                           "host-passthrough", caps.arch, names<VirtType>.text(domain.type), caps.arch));
        std::string text = "host";
        if (cpu.migratable) text += fmt::format(",migratable={}", names<Switch>.text(*cpu.migratable));
        return text;
    }
    case CpuMode::maximum: {
        std::string text = "max";
        if (cpu.migratable) text += fmt::format(",migratable={}", names<Switch>.text(*cpu.migratable));
        return text;
    }
    case CpuMode::host_model: {
        const auto host = host_model(caps, is_kvm(domain));
        if (!host)
            return fail(Code::config_unsupported,
                        tr("CPU mode '{0}' for {1} {2} domain on {3} host is not supported by hypervisor",
                           "host-model", caps.arch, names<VirtType>.text(domain.type), caps.arch));
        CpuText text(host->model);
        for (const auto& feature : host->required) text.feature(feature_in_qemu(feature), true);
        for (const auto& feature : host->disabled) text.feature(feature_in_qemu(feature), false);
        return text.text();
    }
    case CpuMode::custom: break;
    }
    return cpu.model && cpu.model->name ? *cpu.model->name : std::string("qemu64");
}

void add_features(CpuText& text, const Cpu& cpu) {
    if (cpu.model && cpu.model->vendor_id) text.word("vendor=" + *cpu.model->vendor_id);
    for (const auto& feature : cpu.features) {
        const auto name = feature_in_qemu(feature.name);
        switch (feature.policy.value_or(CpuFeaturePolicy::require)) {
        case CpuFeaturePolicy::force:
        case CpuFeaturePolicy::require: text.feature(name, true); break;
        case CpuFeaturePolicy::disable:
        case CpuFeaturePolicy::forbid: text.feature(name, false); break;
        case CpuFeaturePolicy::optional: break;
        }
    }
}

void add_hyperv(CpuText& text, const Hyperv& hv) {
    if (hv.mode == HypervMode::passthrough) {
        text.word("hv-passthrough=on");
        return;
    }
    const auto add = [&](const std::optional<FeatureState>& state, const char* name) {
        if (on(state)) text.word(fmt::format("{}=on", name));
    };
    add(hv.relaxed, "hv-relaxed");
    add(hv.vapic, "hv-vapic");
    if (hv.spinlocks && hv.spinlocks->state.value_or(Switch::on) == Switch::on)
        text.word(fmt::format("hv-spinlocks={:#x}", hv.spinlocks->retries.value_or(4095)));
    add(hv.vpindex, "hv-vpindex");
    add(hv.runtime, "hv-runtime");
    add(hv.synic, "hv-synic");
    if (hv.stimer && hv.stimer->state.value_or(Switch::on) == Switch::on) {
        text.word("hv-stimer=on");
        if (on(hv.stimer->direct)) text.word("hv-stimer-direct=on");
    }
    add(hv.reset, "hv-reset");
    if (hv.vendor_id && hv.vendor_id->state.value_or(Switch::on) == Switch::on && hv.vendor_id->value)
        text.word("hv-vendor-id=" + *hv.vendor_id->value);
    add(hv.frequencies, "hv-frequencies");
    add(hv.reenlightenment, "hv-reenlightenment");
    add(hv.tlbflush, "hv-tlbflush");
    add(hv.ipi, "hv-ipi");
    add(hv.evmcs, "hv-evmcs");
    add(hv.avic, "hv-avic");
}

void add_timers(CpuText& text, const Domain& domain) {
    if (!domain.clock) return;
    for (const auto& timer : domain.clock->timers) {
        if (timer.name == TimerName::kvmclock && timer.present)
            text.feature("kvmclock", timer.present == YesNo::yes);
        else if (timer.name == TimerName::hypervclock && timer.present == YesNo::yes)
            text.word("hv-time=on");
        else if (timer.name == TimerName::tsc && timer.frequency_hz)
            text.word(fmt::format("tsc-frequency={}", *timer.frequency_hz));
    }
}

void add_kvm(CpuText& text, const Domain& domain) {
    if (!domain.features) return;
    const auto& features = *domain.features;
    if (features.apic && features.apic->eoi) text.feature("kvm-pv-eoi", features.apic->eoi == Switch::on);
    if (features.pvspinlock) text.feature("kvm-pv-unhalt", features.pvspinlock->on());
}

void add_kvm_hiding(CpuText& text, const KvmFeatures& kvm) {
    if (on(kvm.hidden)) text.word("kvm=off");
    if (on(kvm.hint_dedicated)) text.word("kvm-hint-dedicated=on");
    if (on(kvm.poll_control)) text.word("kvm-poll-control=on");
    if (on(kvm.pv_ipi)) text.word("kvm-pv-ipi=on");
}

} // namespace

void complete_cpu(Domain& domain, const QemuCaps* caps) {
    if (!domain.cpu) {
        if (!caps) return;
        domain.cpu.emplace();
    }
    auto& cpu = *domain.cpu;
    if (!cpu.mode && !cpu.model) {
        const auto* machine =
            caps && domain.os.type.machine ? caps->machine(*domain.os.type.machine) : nullptr;
        if (machine && machine->default_cpu_type) {
            cpu.mode = CpuMode::custom;
            cpu.match = CpuMatch::exact;
            cpu.check = CpuCheck::none;
            cpu.model =
                CpuModel{.fallback = CpuFallback::forbid, .name = model_of_type(*machine->default_cpu_type)};
        } else if (cpu == Cpu{}) {
            domain.cpu.reset();
            return;
        }
    }
    if (!cpu.mode && cpu.model) cpu.mode = CpuMode::custom;
    if (cpu.mode) switch (*cpu.mode) {
        case CpuMode::custom:
            if (!cpu.match) cpu.match = CpuMatch::exact;
            // TCG makes whatever it is asked for: there is nothing to compare with the host
            if (!cpu.check) cpu.check = is_kvm(domain) ? CpuCheck::partial : CpuCheck::none;
            if (cpu.model && !cpu.model->fallback) cpu.model->fallback = CpuFallback::allow;
            break;
        case CpuMode::host_model:
            cpu.match.reset();
            if (!cpu.check) cpu.check = CpuCheck::partial;
            // the model is the host's: only a vendor of the user's own is kept
            if (cpu.model && !cpu.model->vendor_id)
                cpu.model.reset();
            else if (cpu.model)
                cpu.model->name.reset(), cpu.model->fallback.reset();
            break;
        case CpuMode::host_passthrough:
        case CpuMode::maximum:
            cpu.match.reset();
            if (cpu.model && !cpu.model->vendor_id) cpu.model.reset();
            if (!cpu.check) cpu.check = CpuCheck::none;
            if (!cpu.migratable && caps) cpu.migratable = Switch::on;
            break;
        }
    for (auto& feature : cpu.features)
        if (!feature.policy) feature.policy = CpuFeaturePolicy::require;
    if (cpu.topology && !cpu.topology->dies) cpu.topology->dies = 1;
}

Result<> check_cpu(const Domain& domain, const QemuCaps* caps) {
    if (!domain.cpu) return {};
    const auto& cpu = *domain.cpu;
    const auto mode = cpu.mode.value_or(CpuMode::custom);
    for (std::size_t i = 0; i < cpu.features.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (cpu.features[i].name == cpu.features[j].name)
                return fail(Code::config_unsupported,
                            tr("CPU feature '{0}' specified more than once", cpu.features[i].name));
    if (caps && mode == CpuMode::custom && cpu.model && cpu.model->name &&
        cpu.model->fallback == CpuFallback::forbid && !knows_model(*caps, *cpu.model->name))
        return fail(Code::config_unsupported,
                    tr("CPU model {0} is not supported by hypervisor", *cpu.model->name));
    return {};
}

Result<QemuItem> cpu_item(const Domain& domain, const QemuCaps& caps) {
    const auto cpu = domain.cpu.value_or(Cpu{});
    CpuText text(TRY(model_text(domain, cpu, caps)));
    add_features(text, cpu);
    if (cpu.cache) {
        if (cpu.cache->mode == "emulate") text.word("l3-cache=on,host-cache-info=off");
        if (cpu.cache->mode == "passthrough") text.word("host-cache-info=on,l3-cache=off");
        if (cpu.cache->mode == "disable") text.word("l3-cache=off,host-cache-info=off");
    }
    if (cpu.maxphysaddr) {
        if (cpu.maxphysaddr->mode == "passthrough") text.word("host-phys-bits=on");
        if (cpu.maxphysaddr->limit)
            text.word(fmt::format("host-phys-bits-limit={}", *cpu.maxphysaddr->limit));
        if (cpu.maxphysaddr->mode == "emulate" && cpu.maxphysaddr->bits)
            text.word(fmt::format("phys-bits={}", *cpu.maxphysaddr->bits));
    }
    add_timers(text, domain);
    add_kvm(text, domain);
    if (domain.features && domain.features->hyperv) add_hyperv(text, *domain.features->hyperv);
    for (const auto* panic : devices_of<Panic>(domain))
        if (panic->model == PanicModel::hyperv) {
            text.word("hv-crash");
            break;
        }
    if (domain.features && domain.features->kvm) add_kvm_hiding(text, *domain.features->kvm);
    if (domain.features && domain.features->pmu) text.feature("pmu", domain.features->pmu->on());
    return QemuItem{"cpu", text.text(), domain.cpu ? "cpu" : "default cpu"};
}

} // namespace cloister
