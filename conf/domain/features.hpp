/// <features>: what the machine offers besides its devices.
/// Source: https://libvirt.org/formatdomain.html#hypervisor-features
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

/// <name state='on'/>; libvirt reads a missing state as "on" for most of them.
struct FeatureState {
    std::optional<Switch> state{};
    xml::Rest rest{};
    bool on() const { return state.value_or(Switch::on) == Switch::on; }
    bool operator==(const FeatureState&) const = default;
};
template <> inline constexpr auto fields<FeatureState> = xml::table(xml::attr("state", &FeatureState::state));

struct Apic {
    std::optional<Switch> eoi{};
    xml::Rest rest{};
    bool operator==(const Apic&) const = default;
};
template <> inline constexpr auto fields<Apic> = xml::table(xml::attr("eoi", &Apic::eoi));

struct HypervSpinlocks {
    std::optional<Switch> state{};
    std::optional<std::uint32_t> retries{};
    xml::Rest rest{};
    bool operator==(const HypervSpinlocks&) const = default;
};
template <> inline constexpr auto fields<HypervSpinlocks> =
    xml::table(xml::attr("state", &HypervSpinlocks::state), xml::attr("retries", &HypervSpinlocks::retries));
struct HypervStimer {
    std::optional<Switch> state{};
    std::optional<FeatureState> direct{};
    xml::Rest rest{};
    bool operator==(const HypervStimer&) const = default;
};
template <> inline constexpr auto fields<HypervStimer> =
    xml::table(xml::attr("state", &HypervStimer::state), xml::child("direct", &HypervStimer::direct));
struct HypervVendorId {
    std::optional<Switch> state{};
    std::optional<std::string> value{}; ///< up to 12 characters
    xml::Rest rest{};
    bool operator==(const HypervVendorId&) const = default;
};
template <> inline constexpr auto fields<HypervVendorId> =
    xml::table(xml::attr("state", &HypervVendorId::state), xml::attr("value", &HypervVendorId::value));
enum class HypervMode { custom, passthrough };
template <> inline constexpr auto names<HypervMode> = make_names<HypervMode>({"custom", "passthrough"});
static_assert(names<HypervMode>.covers(HypervMode::passthrough));

struct Hyperv {
    std::optional<HypervMode> mode{};
    std::optional<FeatureState> relaxed{}, vapic{};
    std::optional<HypervSpinlocks> spinlocks{};
    std::optional<FeatureState> vpindex{}, runtime{}, synic{};
    std::optional<HypervStimer> stimer{};
    std::optional<FeatureState> reset{};
    std::optional<HypervVendorId> vendor_id{};
    std::optional<FeatureState> frequencies{}, reenlightenment{}, tlbflush{}, ipi{}, evmcs{}, avic{};
    xml::Rest rest{};
    bool operator==(const Hyperv&) const = default;
};
template <> inline constexpr auto fields<Hyperv> = xml::table(
    xml::attr("mode", &Hyperv::mode), xml::child("relaxed", &Hyperv::relaxed),
    xml::child("vapic", &Hyperv::vapic), xml::child("spinlocks", &Hyperv::spinlocks),
    xml::child("vpindex", &Hyperv::vpindex), xml::child("runtime", &Hyperv::runtime),
    xml::child("synic", &Hyperv::synic), xml::child("stimer", &Hyperv::stimer),
    xml::child("reset", &Hyperv::reset), xml::child("vendor_id", &Hyperv::vendor_id),
    xml::child("frequencies", &Hyperv::frequencies), xml::child("reenlightenment", &Hyperv::reenlightenment),
    xml::child("tlbflush", &Hyperv::tlbflush), xml::child("ipi", &Hyperv::ipi),
    xml::child("evmcs", &Hyperv::evmcs), xml::child("avic", &Hyperv::avic));

struct KvmDirtyRing {
    std::optional<Switch> state{};
    std::optional<std::uint32_t> size{}; ///< entries: a power of two from 1024 to 65536
    xml::Rest rest{};
    bool operator==(const KvmDirtyRing&) const = default;
};
template <> inline constexpr auto fields<KvmDirtyRing> =
    xml::table(xml::attr("state", &KvmDirtyRing::state), xml::attr("size", &KvmDirtyRing::size));
struct KvmFeatures {
    std::optional<FeatureState> hidden{}, hint_dedicated{}, poll_control{}, pv_ipi{};
    std::optional<KvmDirtyRing> dirty_ring{};
    xml::Rest rest{};
    bool operator==(const KvmFeatures&) const = default;
};
template <> inline constexpr auto fields<KvmFeatures> = xml::table(
    xml::child("hidden", &KvmFeatures::hidden), xml::child("hint-dedicated", &KvmFeatures::hint_dedicated),
    xml::child("poll-control", &KvmFeatures::poll_control), xml::child("pv-ipi", &KvmFeatures::pv_ipi),
    xml::child("dirty-ring", &KvmFeatures::dirty_ring));

struct SizeElement { ///< a size in KiB with its unit
    std::uint64_t kib = 0;
    xml::Rest rest{};
    bool operator==(const SizeElement&) const = default;
};
template <> inline constexpr auto fields<SizeElement> = xml::table(xml::size(&SizeElement::kib));

struct Smm {
    std::optional<Switch> state{};
    std::optional<SizeElement> tseg{};
    xml::Rest rest{};
    bool operator==(const Smm&) const = default;
};
template <> inline constexpr auto fields<Smm> =
    xml::table(xml::attr("state", &Smm::state), xml::child("tseg", &Smm::tseg));
struct Ioapic {
    std::string driver{}; ///< "kvm", "qemu"
    xml::Rest rest{};
    bool operator==(const Ioapic&) const = default;
};
template <> inline constexpr auto fields<Ioapic> = xml::table(xml::attr("driver", &Ioapic::driver));
struct Gic {
    std::optional<std::string> version{}; ///< "2", "3", "host"
    xml::Rest rest{};
    bool operator==(const Gic&) const = default;
};
template <> inline constexpr auto fields<Gic> = xml::table(xml::attr("version", &Gic::version));
struct Msrs {
    std::string unknown{}; ///< "ignore", "fault"
    xml::Rest rest{};
    bool operator==(const Msrs&) const = default;
};
template <> inline constexpr auto fields<Msrs> = xml::table(xml::attr("unknown", &Msrs::unknown));
struct TcgFeatures {
    std::optional<SizeElement> tb_cache{};
    xml::Rest rest{};
    bool operator==(const TcgFeatures&) const = default;
};
template <> inline constexpr auto fields<TcgFeatures> =
    xml::table(xml::child("tb-cache", &TcgFeatures::tb_cache));

struct Features {
    bool acpi = false;
    std::optional<Apic> apic{};
    bool pae = false;
    std::optional<FeatureState> hap{};
    bool viridian = false, privnet = false;
    std::optional<Hyperv> hyperv{};
    std::optional<KvmFeatures> kvm{};
    std::optional<FeatureState> pvspinlock{}, pmu{}, vmport{};
    std::optional<Gic> gic{};
    std::optional<Smm> smm{};
    std::optional<Ioapic> ioapic{};
    std::optional<FeatureState> vmcoreinfo{};
    std::optional<Msrs> msrs{};
    std::optional<TcgFeatures> tcg{};
    xml::Rest rest{};
    bool operator==(const Features&) const = default;
};
template <> inline constexpr auto fields<Features> = xml::table(
    xml::flag("acpi", &Features::acpi), xml::child("apic", &Features::apic), xml::flag("pae", &Features::pae),
    xml::child("hap", &Features::hap), xml::flag("viridian", &Features::viridian),
    xml::flag("privnet", &Features::privnet), xml::child("hyperv", &Features::hyperv),
    xml::child("kvm", &Features::kvm), xml::child("pvspinlock", &Features::pvspinlock),
    xml::child("pmu", &Features::pmu), xml::child("vmport", &Features::vmport),
    xml::child("gic", &Features::gic), xml::child("smm", &Features::smm),
    xml::child("ioapic", &Features::ioapic), xml::child("vmcoreinfo", &Features::vmcoreinfo),
    xml::child("msrs", &Features::msrs), xml::child("tcg", &Features::tcg));

} // namespace cloister
