/// The guest's PCI buses while addresses are handed out: what may sit where, what is taken. Pure.
/// Source: facts/behaviour.md D.4.
#pragma once

#include "conf/base/result.hpp"
#include "conf/part/address.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// How a device wants to be connected.
enum class PciClass {
    none,             ///< not on a PCI bus
    conventional,     ///< a PCI slot
    express,          ///< a PCI Express slot
    integrated,       ///< a function of the root complex
    bridge,           ///< pci-bridge
    dmi_bridge,       ///< dmi-to-pci-bridge
    express_bridge,   ///< pcie-to-pci-bridge
    root_port,        ///< pcie-root-port
    upstream_port,    ///< pcie-switch-upstream-port
    downstream_port,  ///< pcie-switch-downstream-port
    expander,         ///< pci-expander-bus
    express_expander, ///< pcie-expander-bus
};

struct PciPlace {
    std::uint32_t domain = 0, bus = 0, slot = 0, function = 0;
    bool operator==(const PciPlace&) const = default;
};

struct PciBus {
    std::string model{}; ///< of the controller: "pci-root", "pcie-root-port" …; empty: no such bus
    std::array<std::uint8_t, 32> taken{}; ///< functions of each slot, as bits
    std::array<bool, 32> shared{};        ///< ports are packed into this slot, function by function
};

class PciBuses {
public:
    explicit PciBuses(bool express) : express_(express) {}

    void set(std::uint32_t index, std::string model);
    bool has(std::uint32_t index) const { return index < buses_.size() && !buses_[index].model.empty(); }
    std::uint32_t count() const { return static_cast<std::uint32_t>(buses_.size()); }
    const std::string& model(std::uint32_t index) const { return buses_[index].model; }

    /// Takes one function, or the whole slot. Errors: xml when it is taken or cannot be there.
    Result<> take(const PciPlace& place, PciClass kind, bool whole_slot);
    /// For what the chipset has: no questions asked.
    void reserve(std::uint32_t bus, std::uint32_t slot, std::uint8_t functions);
    bool is_free(const PciPlace& place) const;
    bool slot_is_free(std::uint32_t bus, std::uint32_t slot) const;

    /// The first place that suits; with `grow`, buses are added for it when there is none.
    /// Errors: internal "No more available PCI slots".
    Result<PciPlace> next(PciClass kind, bool grow);
    /// A slot all of whose functions are free.
    Result<std::uint32_t> next_slot(std::uint32_t bus);

private:
    std::optional<PciPlace> find(PciClass kind) const;
    bool grow_for(PciClass kind);

    bool express_;
    std::vector<PciBus> buses_{};
};

/// The class of a PCI controller itself; none for the roots.
PciClass class_of_controller(std::string_view model);

} // namespace cloister
