/// What clients ask before they write a definition: the capabilities of the host and of a kind of domain, as
/// XML. Pure. Source: https://libvirt.org/formatcaps.html, https://libvirt.org/formatdomaincaps.html; the
/// schemas capability.rng and domaincaps.rng of libvirt 9.0.
#pragma once

#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/topology.hpp"

#include <string>
#include <utility>
#include <vector>

namespace cloister {

struct SecurityModel {
    std::string model{}; ///< "selinux", "dac", "none"
    std::string doi = "0";
    std::vector<std::pair<std::string, std::string>> base_labels{}; ///< domain type -> label
    bool operator==(const SecurityModel&) const = default;
};

/// `emulators`: one of each architecture, in the order of printing.
std::string capabilities_xml(const HostTopology& host, const std::vector<const QemuCaps*>& emulators,
                             const std::vector<SecurityModel>& models);

/// `machine` is one of `caps.machines`. `virt_type`: "kvm" or "qemu".
std::string domain_capabilities_xml(const QemuCaps& caps, const HostFacts& host, const QemuMachine& machine,
                                    const std::string& virt_type);

} // namespace cloister
