/// <cpu>: model, features, topology and NUMA cells of the guest's processors.
/// Source: https://libvirt.org/formatdomain.html#cpu-model-and-topology
#pragma once

#include "conf/part/cpuset.hpp"
#include "conf/text/xml_codec.hpp"

namespace cloister {

enum class CpuMode { custom, host_model, host_passthrough, maximum };
template <> inline constexpr auto names<CpuMode> =
    make_names<CpuMode>({"custom", "host-model", "host-passthrough", "maximum"});
static_assert(names<CpuMode>.covers(CpuMode::maximum));
enum class CpuMatch { minimum, exact, strict };
template <> inline constexpr auto names<CpuMatch> = make_names<CpuMatch>({"minimum", "exact", "strict"});
static_assert(names<CpuMatch>.covers(CpuMatch::strict));
enum class CpuCheck { none, partial, full };
template <> inline constexpr auto names<CpuCheck> = make_names<CpuCheck>({"none", "partial", "full"});
static_assert(names<CpuCheck>.covers(CpuCheck::full));
enum class CpuFallback { allow, forbid };
template <> inline constexpr auto names<CpuFallback> = make_names<CpuFallback>({"allow", "forbid"});
static_assert(names<CpuFallback>.covers(CpuFallback::forbid));
enum class CpuFeaturePolicy { force, require, optional, disable, forbid };
template <> inline constexpr auto names<CpuFeaturePolicy> =
    make_names<CpuFeaturePolicy>({"force", "require", "optional", "disable", "forbid"});
static_assert(names<CpuFeaturePolicy>.covers(CpuFeaturePolicy::forbid));

struct CpuModel {
    std::optional<CpuFallback> fallback{};
    std::optional<std::string> vendor_id{}; ///< 12 characters
    std::optional<std::string> name{};
    xml::Rest rest{};
    bool operator==(const CpuModel&) const = default;
};
template <> inline constexpr auto fields<CpuModel> =
    xml::table(xml::attr("fallback", &CpuModel::fallback), xml::attr("vendor_id", &CpuModel::vendor_id),
               xml::content(&CpuModel::name));

struct CpuTopology {
    std::uint32_t sockets = 1;
    std::optional<std::uint32_t> dies{};
    std::uint32_t cores = 1;
    std::uint32_t threads = 1;
    xml::Rest rest{};
    bool operator==(const CpuTopology&) const = default;
};
template <> inline constexpr auto fields<CpuTopology> =
    xml::table(xml::attr("sockets", &CpuTopology::sockets), xml::attr("dies", &CpuTopology::dies),
               xml::attr("cores", &CpuTopology::cores), xml::attr("threads", &CpuTopology::threads));

struct CpuCache {
    std::optional<std::uint32_t> level{};
    std::string mode{}; ///< "emulate", "passthrough", "disable"
    xml::Rest rest{};
    bool operator==(const CpuCache&) const = default;
};
template <> inline constexpr auto fields<CpuCache> =
    xml::table(xml::attr("level", &CpuCache::level), xml::attr("mode", &CpuCache::mode));

struct CpuMaxPhysAddr {
    std::string mode{}; ///< "emulate", "passthrough"
    std::optional<std::uint32_t> bits{}, limit{};
    xml::Rest rest{};
    bool operator==(const CpuMaxPhysAddr&) const = default;
};
template <> inline constexpr auto fields<CpuMaxPhysAddr> =
    xml::table(xml::attr("mode", &CpuMaxPhysAddr::mode), xml::attr("bits", &CpuMaxPhysAddr::bits),
               xml::attr("limit", &CpuMaxPhysAddr::limit));

struct CpuFeature {
    std::optional<CpuFeaturePolicy> policy{};
    std::string name{};
    xml::Rest rest{};
    bool operator==(const CpuFeature&) const = default;
};
template <> inline constexpr auto fields<CpuFeature> =
    xml::table(xml::attr("policy", &CpuFeature::policy), xml::attr("name", &CpuFeature::name));

struct NumaSibling {
    std::uint32_t id = 0, value = 0;
    xml::Rest rest{};
    bool operator==(const NumaSibling&) const = default;
};
template <> inline constexpr auto fields<NumaSibling> =
    xml::table(xml::attr("id", &NumaSibling::id), xml::attr("value", &NumaSibling::value));
struct NumaDistances {
    std::vector<NumaSibling> siblings{};
    xml::Rest rest{};
    bool operator==(const NumaDistances&) const = default;
};
template <> inline constexpr auto fields<NumaDistances> =
    xml::table(xml::child("sibling", &NumaDistances::siblings));

enum class MemoryAccess { shared, private_ };
template <> inline constexpr auto names<MemoryAccess> = make_names<MemoryAccess>({"shared", "private"});
static_assert(names<MemoryAccess>.covers(MemoryAccess::private_));

struct NumaCell {
    std::optional<std::uint32_t> id{}; ///< absent: its place in the list
    std::optional<CpuSet> cpus{};
    std::uint64_t memory_kib = 0;
    std::optional<MemoryAccess> access{};
    std::optional<YesNo> discard{};
    std::optional<NumaDistances> distances{};
    xml::Rest rest{};
    bool operator==(const NumaCell&) const = default;
};
template <> inline constexpr auto fields<NumaCell> =
    xml::table(xml::attr("id", &NumaCell::id), xml::attr("cpus", &NumaCell::cpus),
               xml::size_attr("memory", &NumaCell::memory_kib), xml::attr("memAccess", &NumaCell::access),
               xml::attr("discard", &NumaCell::discard), xml::child("distances", &NumaCell::distances));
struct Numa {
    std::vector<NumaCell> cells{};
    xml::Rest rest{};
    bool operator==(const Numa&) const = default;
};
template <> inline constexpr auto fields<Numa> = xml::table(xml::child("cell", &Numa::cells));

struct Cpu {
    std::optional<CpuMode> mode{};
    std::optional<CpuMatch> match{};
    std::optional<CpuCheck> check{};
    std::optional<Switch> migratable{};
    std::optional<CpuModel> model{};
    std::optional<std::string> vendor{};
    std::optional<CpuTopology> topology{};
    std::optional<CpuCache> cache{};
    std::optional<CpuMaxPhysAddr> maxphysaddr{};
    std::vector<CpuFeature> features{};
    std::optional<Numa> numa{};
    xml::Rest rest{};
    bool operator==(const Cpu&) const = default;
};
template <> inline constexpr auto fields<Cpu> = xml::table(
    xml::attr("mode", &Cpu::mode), xml::attr("match", &Cpu::match), xml::attr("check", &Cpu::check),
    xml::attr("migratable", &Cpu::migratable), xml::child("model", &Cpu::model),
    xml::leaf("vendor", &Cpu::vendor), xml::child("topology", &Cpu::topology),
    xml::child("cache", &Cpu::cache), xml::child("maxphysaddr", &Cpu::maxphysaddr),
    xml::child("feature", &Cpu::features), xml::child("numa", &Cpu::numa));

} // namespace cloister
