/// CPU features and vendors have two names each: the definition's and QEMU's. Pure.
#pragma once

#include "driver/caps/qemu_caps.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// "lahf-lm" -> "lahf_lm"; most names are the same.
std::string_view feature_in_xml(std::string_view qemu);
/// "lahf_lm" -> "lahf-lm".
std::string_view feature_in_qemu(std::string_view xml);
/// "GenuineIntel" -> "Intel"; what has no short name stays.
std::string_view vendor_in_xml(std::string_view id);

/// A CPU described as a named model and what differs from it, in the definition's names.
struct CpuDescription {
    std::string model{};
    std::string vendor{};                            ///< "Intel"; empty: the model says nothing of it
    std::vector<std::string> required{}, disabled{}; ///< sorted
    bool operator==(const CpuDescription&) const = default;
};
/// What mode host-model stands for under one accelerator: the named model of the host's vendor that needs the
/// fewest corrections, and these. Absent: this QEMU has not told what its models consist of.
std::optional<CpuDescription> host_model(const QemuCaps& caps, bool kvm);

/// The vendor of a named model as domain capabilities tell it: "Intel", "AMD", "Hygon", "unknown" for generic
/// ones.
std::string model_vendor(const QemuCaps& caps, bool kvm, std::string_view model);

} // namespace cloister
