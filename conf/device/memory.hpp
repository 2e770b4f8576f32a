/// <memory> below <devices>: a memory module: dimm, nvdimm, virtio-mem, virtio-pmem.
/// Source: https://libvirt.org/formatdomain.html#memory-devices
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/scaled.hpp"

namespace cloister {

enum class MemoryModel { dimm, nvdimm, virtio_pmem, virtio_mem, sgx_epc };
template <> inline constexpr auto names<MemoryModel> =
    make_names<MemoryModel>({"dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc"});
static_assert(names<MemoryModel>.covers(MemoryModel::sgx_epc));

enum class MemoryModuleAccess { shared, private_ };
template <> inline constexpr auto names<MemoryModuleAccess> =
    make_names<MemoryModuleAccess>({"shared", "private"});
static_assert(names<MemoryModuleAccess>.covers(MemoryModuleAccess::private_));

struct MemoryModuleSource {
    std::optional<std::string> nodemask{};
    std::optional<KibSize> pagesize{};
    std::optional<std::string> path{};
    std::optional<KibSize> alignsize{};
    bool pmem = false;
    xml::Rest rest{};
    bool operator==(const MemoryModuleSource&) const = default;
};
template <> inline constexpr auto fields<MemoryModuleSource> = xml::table(
    xml::leaf("nodemask", &MemoryModuleSource::nodemask),
    xml::child("pagesize", &MemoryModuleSource::pagesize), xml::leaf("path", &MemoryModuleSource::path),
    xml::child("alignsize", &MemoryModuleSource::alignsize), xml::flag("pmem", &MemoryModuleSource::pmem));

struct NvdimmLabel {
    KibSize size{};
    xml::Rest rest{};
    bool operator==(const NvdimmLabel&) const = default;
};
template <> inline constexpr auto fields<NvdimmLabel> = xml::table(xml::child("size", &NvdimmLabel::size));

struct MemoryModuleTarget {
    std::optional<KibSize> size{};
    std::optional<std::uint32_t> node{};
    std::optional<KibSize> block{}, requested{};
    std::optional<KibSize> current{}; ///< live only: what the guest has plugged
    std::optional<NvdimmLabel> label{};
    bool readonly = false;
    xml::Rest rest{};
    bool operator==(const MemoryModuleTarget&) const = default;
};
template <> inline constexpr auto fields<MemoryModuleTarget> = xml::table(
    xml::child("size", &MemoryModuleTarget::size), xml::leaf("node", &MemoryModuleTarget::node),
    xml::child("block", &MemoryModuleTarget::block), xml::child("requested", &MemoryModuleTarget::requested),
    xml::live(xml::child("current", &MemoryModuleTarget::current)),
    xml::child("label", &MemoryModuleTarget::label), xml::flag("readonly", &MemoryModuleTarget::readonly));

struct MemoryModule {
    MemoryModel model = MemoryModel::dimm;
    std::optional<MemoryModuleAccess> access{};
    std::optional<YesNo> discard{};
    std::optional<Uuid> uuid{};
    std::optional<MemoryModuleSource> source{};
    std::optional<MemoryModuleTarget> target{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const MemoryModule&) const = default;
};
template <> inline constexpr auto fields<MemoryModule> =
    xml::table(xml::attr("model", &MemoryModule::model), xml::attr("access", &MemoryModule::access),
               xml::attr("discard", &MemoryModule::discard), xml::leaf("uuid", &MemoryModule::uuid),
               xml::child("source", &MemoryModule::source), xml::child("target", &MemoryModule::target),
               xml::embed(&MemoryModule::info));
template <> inline constexpr const char* element<MemoryModule> = "memory";

} // namespace cloister
