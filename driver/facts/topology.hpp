/// Processors and memory of the host, as a value. driver/probe fills it; the capabilities and the node calls
/// are made of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cloister {

struct PagePool {
    std::uint64_t size_kib = 0;        ///< of one page
    std::uint64_t total = 0, free = 0; ///< pages
    bool operator==(const PagePool&) const = default;
};
struct HostCpu {
    unsigned id = 0;
    unsigned socket = 0, die = 0, core = 0;
    std::vector<unsigned> siblings{}; ///< threads of the same core, this one too
    bool operator==(const HostCpu&) const = default;
};
struct HostCell {
    unsigned id = 0;
    std::uint64_t memory_kib = 0, free_kib = 0;
    std::vector<PagePool> pages{};                          ///< the base size first, then rising
    std::vector<std::pair<unsigned, unsigned>> distances{}; ///< cell -> distance
    std::vector<HostCpu> cpus{};                            ///< online
    bool operator==(const HostCell&) const = default;
};
struct CacheBank {
    unsigned id = 0, level = 0;
    std::string type{}; ///< "both", "code", "data"
    std::uint64_t size_kib = 0;
    std::vector<unsigned> cpus{};
    bool operator==(const CacheBank&) const = default;
};

struct HostTopology {
    std::string uuid{}; ///< of the host
    std::string arch = "x86_64";
    std::string cpu_vendor{};     ///< "GenuineIntel"
    std::string cpu_model_name{}; ///< for people
    unsigned family = 0, model = 0, stepping = 0;
    std::uint64_t microcode = 0; ///< 0: not known
    std::optional<unsigned> physical_bits{};
    std::uint64_t tsc_hz = 0; ///< 0: not known
    bool tsc_scaling = false;
    unsigned mhz = 0;
    std::vector<unsigned> present{}, online{}; ///< cpus
    std::vector<HostCell> cells{};
    std::vector<CacheBank> caches{};
    bool iommu = false, suspend_mem = false, suspend_disk = false;
    std::vector<std::string> cpu_flags{}; ///< as the kernel names them
    bool operator==(const HostTopology&) const = default;
};

} // namespace cloister
