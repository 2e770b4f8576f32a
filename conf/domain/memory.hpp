/// Memory of the guest: sizes, backing, limits, NUMA placement, and block I/O weights.
/// Source: https://libvirt.org/formatdomain.html#memory-allocation
#pragma once

#include "conf/part/cpuset.hpp"
#include "conf/text/xml_codec.hpp"

namespace cloister {

/// <memory>, <currentMemory>, a limit: KiB, whatever the unit in the text.
struct MemorySize {
    std::optional<Switch> dump_core{}; ///< only <memory> has it
    std::uint64_t kib = 0;
    xml::Rest rest{};
    bool operator==(const MemorySize&) const = default;
};
template <> inline constexpr auto fields<MemorySize> =
    xml::table(xml::attr("dumpCore", &MemorySize::dump_core), xml::size(&MemorySize::kib));
struct MaxMemory {
    std::uint32_t slots = 0;
    std::uint64_t kib = 0;
    xml::Rest rest{};
    bool operator==(const MaxMemory&) const = default;
};
template <> inline constexpr auto fields<MaxMemory> =
    xml::table(xml::attr("slots", &MaxMemory::slots), xml::size(&MaxMemory::kib));

struct HugePage {
    std::uint64_t size_kib = 0;
    std::optional<CpuSet> nodeset{};
    xml::Rest rest{};
    bool operator==(const HugePage&) const = default;
};
template <> inline constexpr auto fields<HugePage> =
    xml::table(xml::size_attr("size", &HugePage::size_kib), xml::attr("nodeset", &HugePage::nodeset));
struct HugePages {
    std::vector<HugePage> pages{};
    xml::Rest rest{};
    bool operator==(const HugePages&) const = default;
};
template <> inline constexpr auto fields<HugePages> = xml::table(xml::child("page", &HugePages::pages));

enum class MemorySource { file, anonymous, memfd };
template <> inline constexpr auto names<MemorySource> =
    make_names<MemorySource>({"file", "anonymous", "memfd"});
static_assert(names<MemorySource>.covers(MemorySource::memfd));
struct MemorySourceType {
    MemorySource type = MemorySource::anonymous;
    xml::Rest rest{};
    bool operator==(const MemorySourceType&) const = default;
};
template <> inline constexpr auto fields<MemorySourceType> =
    xml::table(xml::attr("type", &MemorySourceType::type));

struct MemoryAccessMode {
    std::string mode{}; ///< "shared", "private"
    xml::Rest rest{};
    bool operator==(const MemoryAccessMode&) const = default;
};
template <> inline constexpr auto fields<MemoryAccessMode> =
    xml::table(xml::attr("mode", &MemoryAccessMode::mode));

struct MemoryAllocation {
    std::optional<std::string> mode{}; ///< "immediate", "ondemand"
    std::optional<std::uint32_t> threads{};
    xml::Rest rest{};
    bool operator==(const MemoryAllocation&) const = default;
};
template <> inline constexpr auto fields<MemoryAllocation> =
    xml::table(xml::attr("mode", &MemoryAllocation::mode), xml::attr("threads", &MemoryAllocation::threads));

struct MemoryBacking {
    std::optional<HugePages> hugepages{};
    bool nosharepages = false;
    bool locked = false;
    std::optional<MemorySourceType> source{};
    std::optional<MemoryAccessMode> access{};
    std::optional<MemoryAllocation> allocation{};
    bool discard = false;
    xml::Rest rest{};
    bool operator==(const MemoryBacking&) const = default;
};
template <> inline constexpr auto fields<MemoryBacking> = xml::table(
    xml::child("hugepages", &MemoryBacking::hugepages),
    xml::flag("nosharepages", &MemoryBacking::nosharepages), xml::flag("locked", &MemoryBacking::locked),
    xml::child("source", &MemoryBacking::source), xml::child("access", &MemoryBacking::access),
    xml::child("allocation", &MemoryBacking::allocation), xml::flag("discard", &MemoryBacking::discard));

struct MemTune {
    std::optional<MemorySize> hard_limit{}, soft_limit{}, min_guarantee{}, swap_hard_limit{};
    xml::Rest rest{};
    bool operator==(const MemTune&) const = default;
};
template <> inline constexpr auto fields<MemTune> =
    xml::table(xml::child("hard_limit", &MemTune::hard_limit), xml::child("soft_limit", &MemTune::soft_limit),
               xml::child("min_guarantee", &MemTune::min_guarantee),
               xml::child("swap_hard_limit", &MemTune::swap_hard_limit));

enum class NumaTuneMode { strict, preferred, interleave, restrictive };
template <> inline constexpr auto names<NumaTuneMode> =
    make_names<NumaTuneMode>({"strict", "preferred", "interleave", "restrictive"});
static_assert(names<NumaTuneMode>.covers(NumaTuneMode::restrictive));
enum class Placement { static_, auto_ };
template <> inline constexpr auto names<Placement> = make_names<Placement>({"static", "auto"});
static_assert(names<Placement>.covers(Placement::auto_));

struct NumaTuneMemory {
    std::optional<NumaTuneMode> mode{};
    std::optional<CpuSet> nodeset{};
    std::optional<Placement> placement{};
    xml::Rest rest{};
    bool operator==(const NumaTuneMemory&) const = default;
};
template <> inline constexpr auto fields<NumaTuneMemory> =
    xml::table(xml::attr("mode", &NumaTuneMemory::mode), xml::attr("nodeset", &NumaTuneMemory::nodeset),
               xml::attr("placement", &NumaTuneMemory::placement));
struct NumaTuneNode {
    std::uint32_t cell = 0;
    std::optional<NumaTuneMode> mode{};
    CpuSet nodeset{};
    xml::Rest rest{};
    bool operator==(const NumaTuneNode&) const = default;
};
template <> inline constexpr auto fields<NumaTuneNode> =
    xml::table(xml::attr("cellid", &NumaTuneNode::cell), xml::attr("mode", &NumaTuneNode::mode),
               xml::attr("nodeset", &NumaTuneNode::nodeset));
struct NumaTune {
    std::optional<NumaTuneMemory> memory{};
    std::vector<NumaTuneNode> nodes{};
    xml::Rest rest{};
    bool operator==(const NumaTune&) const = default;
};
template <> inline constexpr auto fields<NumaTune> =
    xml::table(xml::child("memory", &NumaTune::memory), xml::child("memnode", &NumaTune::nodes));

struct BlkioDevice {
    std::string path{};
    std::optional<std::uint32_t> weight{}, read_iops_sec{}, write_iops_sec{};
    std::optional<std::uint64_t> read_bytes_sec{}, write_bytes_sec{};
    xml::Rest rest{};
    bool operator==(const BlkioDevice&) const = default;
};
template <> inline constexpr auto fields<BlkioDevice> =
    xml::table(xml::leaf("path", &BlkioDevice::path), xml::leaf("weight", &BlkioDevice::weight),
               xml::leaf("read_iops_sec", &BlkioDevice::read_iops_sec),
               xml::leaf("write_iops_sec", &BlkioDevice::write_iops_sec),
               xml::leaf("read_bytes_sec", &BlkioDevice::read_bytes_sec),
               xml::leaf("write_bytes_sec", &BlkioDevice::write_bytes_sec));
struct BlkioTune {
    std::optional<std::uint32_t> weight{};
    std::vector<BlkioDevice> devices{};
    xml::Rest rest{};
    bool operator==(const BlkioTune&) const = default;
};
template <> inline constexpr auto fields<BlkioTune> =
    xml::table(xml::leaf("weight", &BlkioTune::weight), xml::child("device", &BlkioTune::devices));

} // namespace cloister
