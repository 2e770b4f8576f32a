/// What one QEMU binary can do, as a value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

struct QemuMachine {
    std::string name{};                 ///< canonical: "pc-q35-7.2"
    std::optional<std::string> alias{}; ///< "q35"
    std::uint32_t max_cpus = 0;
    bool hotpluggable_cpus = false, numa_mem = false, deprecated = false, is_default = false;
    std::optional<std::string> default_cpu_type{}; ///< "qemu64-x86_64-cpu"
    std::optional<std::string> default_ram_id{};   ///< "pc.ram"
    bool operator==(const QemuMachine&) const = default;
};
struct QemuCpu {
    std::string name{};
    std::string type{};                     ///< QOM type
    std::string alias_of{};                 ///< the versioned model that this name stands for; empty: none
    std::vector<std::string> unavailable{}; ///< features this host lacks; empty: usable (per accelerator)
    bool usable_known = false, deprecated = false, migration_safe = false, is_static = false;
    bool operator==(const QemuCpu&) const = default;
};
/// query-cpu-model-expansion of "host" (or "max") under one accelerator: property name -> value as text.
struct CpuExpansion {
    std::string model{};
    std::map<std::string, std::string> properties{}; ///< "true", "false", numbers, strings
    bool operator==(const CpuExpansion&) const = default;
};

struct QemuCaps {
    std::string emulator{};
    std::uint32_t version = 0; ///< major*1000000 + minor*1000 + micro
    std::string package{};
    std::string arch = "x86_64";         ///< query-target
    bool kvm = false;                    ///< present and enabled when asked
    std::vector<QemuMachine> machines{}; ///< in QEMU's order
    std::vector<QemuCpu> cpus_tcg{}, cpus_kvm{};
    std::set<std::string, std::less<>> types{};    ///< qom-list-types: devices and objects
    std::set<std::string, std::less<>> commands{}; ///< QMP
    std::set<std::string, std::less<>> events{};   ///< QMP
    /// Those of schema_paths (driver/caps/schema.hpp) that query-qmp-schema has:
    /// "blockdev-add/arg-type/+file/aio/^io_uring".
    std::set<std::string, std::less<>> schema{};
    std::map<std::string, std::set<std::string, std::less<>>, std::less<>>
        properties{}; ///< device or object type -> its properties
    std::map<std::string, std::set<std::string, std::less<>>, std::less<>>
        options{}; ///< query-command-line-options
    std::set<std::string, std::less<>> tpm_types{}, tpm_models{};
    std::set<std::string, std::less<>> migration{};
    std::optional<CpuExpansion> host_kvm{}, host_tcg{}; ///< of "host" under KVM, of "max" under TCG
    /// What some of the named models consist of, per accelerator: those that host-model may be described
    /// with.
    std::map<std::string, CpuExpansion, std::less<>> models_kvm{}, models_tcg{};
    std::set<std::string, std::less<>> hyperv{}; ///< enlightenments that KVM offers here: "hv-relaxed" …
    bool operator==(const QemuCaps&) const = default;

    bool has_type(std::string_view type) const { return types.contains(type); }
    bool has_property(std::string_view type, std::string_view property) const;
    bool has_schema(std::string_view path) const { return schema.contains(path); }
    bool has_option(std::string_view option, std::string_view parameter = {}) const;
    /// By canonical name or alias; null when this QEMU has no such machine.
    const QemuMachine* machine(std::string_view name) const;
    const QemuMachine* default_machine() const;
};

} // namespace cloister
