#include "driver/plan/pci_buses.hpp"

#include "conf/base/tr.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

struct BusRules {
    std::uint32_t first_slot = 0, last_slot = 0;
    std::vector<PciClass> automatic{};  ///< what is put here without being asked
    std::vector<PciClass> explicitly{}; ///< what else may be put here by its address
};

const BusRules& rules(std::string_view model) {
    using enum PciClass;
    static const BusRules pci_root{1, 31, {conventional, express, bridge, integrated}, {expander}};
    static const BusRules pci_bridge{1, 31, {conventional, bridge}, {express}};
    static const BusRules pcie_root{1,
                                    31,
                                    {root_port, dmi_bridge, integrated, express_expander},
                                    {express, conventional, bridge, express_bridge, expander}};
    static const BusRules dmi{0, 31, {bridge}, {conventional, express}};
    static const BusRules to_pci{1, 31, {conventional, bridge}, {express}};
    static const BusRules port{0, 0, {express, express_bridge, upstream_port}, {conventional, bridge}};
    static const BusRules upstream{0, 31, {downstream_port}, {}};
    static const BusRules pxb{0, 31, {}, {conventional, bridge, express}};
    static const BusRules pxb_pcie{0, 31, {}, {root_port, dmi_bridge, express, integrated}};
    static const BusRules nothing{};
    if (model == "pci-root") return pci_root;
    if (model == "pci-bridge") return pci_bridge;
    if (model == "pcie-root") return pcie_root;
    if (model == "dmi-to-pci-bridge") return dmi;
    if (model == "pcie-to-pci-bridge") return to_pci;
    if (model == "pcie-root-port" || model == "pcie-switch-downstream-port") return port;
    if (model == "pcie-switch-upstream-port") return upstream;
    if (model == "pci-expander-bus") return pxb;
    if (model == "pcie-expander-bus") return pxb_pcie;
    return nothing;
}

bool contains(const std::vector<PciClass>& list, PciClass kind) {
    for (const auto k : list)
        if (k == kind) return true;
    return false;
}

std::string text(const PciPlace& p) {
    return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", p.domain, p.bus, p.slot, p.function);
}

std::string_view class_text(PciClass kind) {
    switch (kind) {
    case PciClass::none:
    case PciClass::conventional: return "standard PCI device";
    case PciClass::express: return "PCI Express device";
    case PciClass::integrated: return "integrated device";
    case PciClass::bridge: return "pci-bridge";
    case PciClass::dmi_bridge: return "dmi-to-pci-bridge";
    case PciClass::express_bridge: return "pcie-to-pci-bridge";
    case PciClass::root_port: return "pcie-root-port";
    case PciClass::upstream_port: return "pcie-switch-upstream-port";
    case PciClass::downstream_port: return "pcie-switch-downstream-port";
    case PciClass::expander: return "pci-expander-bus";
    case PciClass::express_expander: return "pcie-expander-bus";
    }
    return {};
}

/// Root ports and downstream ports are packed: eight functions of one slot.
bool packs(PciClass kind) { return kind == PciClass::root_port; }

} // namespace

PciClass class_of_controller(std::string_view model) {
    if (model == "pci-bridge") return PciClass::bridge;
    if (model == "dmi-to-pci-bridge") return PciClass::dmi_bridge;
    if (model == "pcie-to-pci-bridge") return PciClass::express_bridge;
    if (model == "pcie-root-port") return PciClass::root_port;
    if (model == "pcie-switch-upstream-port") return PciClass::upstream_port;
    if (model == "pcie-switch-downstream-port") return PciClass::downstream_port;
    if (model == "pci-expander-bus") return PciClass::expander;
    if (model == "pcie-expander-bus") return PciClass::express_expander;
    return PciClass::none;
}

void PciBuses::set(std::uint32_t index, std::string model) {
    if (index >= buses_.size()) buses_.resize(index + 1);
    buses_[index].model = std::move(model);
}

void PciBuses::reserve(std::uint32_t bus, std::uint32_t slot, std::uint8_t functions) {
    if (has(bus) && slot < 32) buses_[bus].taken[slot] |= functions;
}

bool PciBuses::is_free(const PciPlace& p) const {
    return has(p.bus) && p.slot < 32 && (buses_[p.bus].taken[p.slot] & (1u << p.function)) == 0;
}
bool PciBuses::slot_is_free(std::uint32_t bus, std::uint32_t slot) const {
    return has(bus) && slot < 32 && buses_[bus].taken[slot] == 0;
}

Result<> PciBuses::take(const PciPlace& p, PciClass kind, bool whole_slot) {
    if (p.domain != 0)
        return fail(Code::xml, tr("Invalid PCI address {0}. Only PCI domain 0 is available", text(p)));
    if (p.bus >= buses_.size() || buses_[p.bus].model.empty())
        return fail(Code::xml, tr("Invalid PCI address {0}. Only PCI buses up to {1} are available", text(p),
                                  buses_.empty() ? 0u : count() - 1));
    auto& bus = buses_[p.bus];
    const auto& r = rules(bus.model);
    if (kind == PciClass::integrated && p.bus != 0)
        return fail(Code::xml,
                    tr("The device at PCI address {0} needs to be an integrated device (bus=0)", text(p)));
    if (!contains(r.automatic, kind) && !contains(r.explicitly, kind))
        return fail(Code::xml,
                    tr("The device at PCI address {0} cannot be plugged into the PCI controller with "
                       "index='{1}'. It requires a controller that accepts a {2}.",
                       text(p), p.bus, class_text(kind)));
    if (p.slot < r.first_slot)
        return fail(Code::xml, tr("Invalid PCI address {0}. slot must be >= {1}", text(p), r.first_slot));
    if (p.slot > r.last_slot)
        return fail(Code::xml, tr("Invalid PCI address {0}. slot must be <= {1}", text(p), r.last_slot));
    if (p.function > 7) return fail(Code::xml, tr("Invalid PCI address {0}. function must be <= 7", text(p)));
    const auto bits = static_cast<std::uint8_t>(whole_slot ? 0xff : 1u << p.function);
    if (bus.taken[p.slot] & bits)
        return fail(Code::xml, tr("Attempted double use of PCI Address {0}", text(p)));
    if (bus.taken[p.slot] == 0) bus.shared[p.slot] = packs(kind);
    bus.taken[p.slot] |= bits;
    return {};
}

std::optional<PciPlace> PciBuses::find(PciClass kind) const {
    for (std::uint32_t b = 0; b < buses_.size(); ++b) {
        const auto& bus = buses_[b];
        if (bus.model.empty()) continue;
        const auto& r = rules(bus.model);
        if (!contains(r.automatic, kind)) continue;
        for (auto slot = r.first_slot; slot <= r.last_slot; ++slot) {
            if (bus.taken[slot] == 0) return PciPlace{.bus = b, .slot = slot};
            if (!packs(kind) || !bus.shared[slot]) continue;
            for (std::uint32_t f = 0; f < 8; ++f)
                if ((bus.taken[slot] & (1u << f)) == 0)
                    return PciPlace{.bus = b, .slot = slot, .function = f};
        }
    }
    return std::nullopt;
}

bool PciBuses::grow_for(PciClass kind) {
    const auto add = [&](const char* model) { set(count(), model); };
    if (!express_) {
        if (kind != PciClass::conventional && kind != PciClass::express && kind != PciClass::bridge)
            return false;
        add("pci-bridge");
        return true;
    }
    switch (kind) {
    case PciClass::express:
    case PciClass::express_bridge:
    case PciClass::upstream_port: add("pcie-root-port"); return true;
    case PciClass::conventional:
    case PciClass::bridge:
        for (const auto& bus : buses_)
            if (bus.model == "dmi-to-pci-bridge") {
                add("pci-bridge");
                return true;
            }
        if (!find(PciClass::express)) add("pcie-root-port");
        add("pcie-to-pci-bridge");
        return true;
    case PciClass::downstream_port: add("pcie-switch-upstream-port"); return true;
    case PciClass::none:
    case PciClass::integrated:
    case PciClass::dmi_bridge:
    case PciClass::root_port:
    case PciClass::expander:
    case PciClass::express_expander: break;
    }
    return false;
}

Result<PciPlace> PciBuses::next(PciClass kind, bool grow) {
    auto place = find(kind);
    for (int rounds = 0; !place && grow && rounds < 2 && grow_for(kind); ++rounds) place = find(kind);
    if (!place) return fail(Code::internal, tr("No more available PCI slots"));
    auto& bus = buses_[place->bus];
    if (bus.taken[place->slot] == 0) bus.shared[place->slot] = packs(kind);
    bus.taken[place->slot] |= static_cast<std::uint8_t>(packs(kind) ? 1u << place->function : 0xff);
    return *place;
}

Result<std::uint32_t> PciBuses::next_slot(std::uint32_t bus) {
    if (has(bus)) {
        const auto& r = rules(buses_[bus].model);
        for (auto slot = r.first_slot; slot <= r.last_slot; ++slot)
            if (buses_[bus].taken[slot] == 0) return slot;
    }
    return fail(Code::internal, tr("No more available PCI slots"));
}

} // namespace cloister
