/// A set of CPUs or NUMA nodes: "0-3,^2,8".
#pragma once

#include "conf/text/scalar.hpp"

#include <vector>

namespace cloister {

struct CpuSet {
    std::vector<std::uint32_t> cpus{}; ///< ascending, each once
    bool contains(std::uint32_t cpu) const;
    bool operator==(const CpuSet&) const = default;
};

/// Numbers, ranges, and exclusions ("^3") of what came before. Blanks around items. nullopt: not that.
std::optional<CpuSet> parse_cpuset(std::string_view text);
/// Ranges joined: "0-1,3".
std::string printed(const CpuSet& set);

namespace xml {
template <> struct Scalar<CpuSet> {
    static std::optional<CpuSet> read(std::string_view t) { return parse_cpuset(t); }
    static std::string write(const CpuSet& v) { return printed(v); }
};
} // namespace xml

} // namespace cloister
