#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::uint64_t bytes_of(const std::optional<KibSize>& size) { return size ? size->kib << 10 : 0; }

MemoryModuleSource source_of(const MemoryModule& module) {
    return module.source.value_or(MemoryModuleSource{});
}
MemoryModuleTarget target_of(const MemoryModule& module) {
    return module.target.value_or(MemoryModuleTarget{});
}

bool is_virtio(MemoryModel model) {
    return model == MemoryModel::virtio_mem || model == MemoryModel::virtio_pmem;
}

std::string_view alias_prefix(MemoryModel model) {
    switch (model) {
    case MemoryModel::dimm: return "dimm";
    case MemoryModel::nvdimm: return "nvdimm";
    case MemoryModel::virtio_pmem: return "virtiopmem";
    case MemoryModel::virtio_mem: return "virtiomem";
    case MemoryModel::sgx_epc: return "epc";
    }
    return {};
}

std::string_view driver_of(MemoryModel model) {
    switch (model) {
    case MemoryModel::dimm: return "pc-dimm";
    case MemoryModel::nvdimm: return "nvdimm";
    case MemoryModel::virtio_pmem: return "virtio-pmem-pci";
    case MemoryModel::virtio_mem: return "virtio-mem-pci";
    case MemoryModel::sgx_epc: break;
    }
    return {};
}

/// The page size that the module's memory is to have; nullopt: the host's normal pages.
std::optional<std::uint64_t> page_kib(const MemoryModule& module, const PlanContext& context) {
    if (const auto source = source_of(module); source.pagesize) {
        if (source.pagesize->kib << 10 == context.facts.page_size) return std::nullopt;
        return source.pagesize->kib;
    }
    if (module.model == MemoryModel::nvdimm || module.model == MemoryModel::virtio_pmem) return std::nullopt;
    const auto& backing = context.domain.memory_backing;
    if (!backing || !backing->hugepages) return std::nullopt;
    const auto node = target_of(module).node;
    for (const auto& page : backing->hugepages->pages)
        if (!page.nodeset || (node && page.nodeset->contains(*node)))
            return page.size_kib << 10 == context.facts.page_size ? std::nullopt
                                                                  : std::optional(page.size_kib);
    for (const auto& mount : context.facts.hugetlb)
        if (mount.is_default) return mount.page_kib;
    return std::nullopt;
}

std::string short_name(const Domain& domain, const Reserved& reserved) {
    return std::to_string(domain.id.value_or(reserved.id)) + "-" + domain.name;
}

struct Policy {
    std::optional<CpuSet> nodes{};
    std::string_view policy = "bind";
};

/// Where on the host the memory may be.
std::optional<Policy> numa_policy(const MemoryModule& module, const PlanContext& context) {
    const auto mode_name = [](NumaTuneMode mode) -> std::string_view {
        switch (mode) {
        case NumaTuneMode::strict: return "bind";
        case NumaTuneMode::preferred: return "preferred";
        case NumaTuneMode::interleave: return "interleave";
        case NumaTuneMode::restrictive: return "";
        }
        return {};
    };
    Policy out;
    const auto& tune = context.domain.numatune;
    if (tune && tune->memory && tune->memory->mode) out.policy = mode_name(*tune->memory->mode);
    if (const auto source = source_of(module); source.nodemask) {
        out.nodes = parse_cpuset(*source.nodemask);
    } else if (tune) {
        const auto node = target_of(module).node;
        if (tune->memory) out.nodes = tune->memory->nodeset;
        for (const auto& cell : tune->nodes)
            if (node && cell.cell == *node) {
                out.nodes = cell.nodeset;
                if (cell.mode) out.policy = mode_name(*cell.mode);
            }
    }
    if (!out.nodes || out.policy.empty()) return std::nullopt;
    return out;
}

std::optional<bool> shared_access(const MemoryModule& module, const PlanContext& context) {
    if (module.access) return module.access == MemoryModuleAccess::shared;
    const auto& backing = context.domain.memory_backing;
    if (backing && backing->access) return backing->access->mode == "shared";
    return std::nullopt;
}

Result<boost::json::object> backend(DevicePlan& out, const MemoryModule& module, const std::string& id,
                                    const std::string& why, const PlanContext& context) {
    const auto source = source_of(module);
    const auto& memory_backing = context.domain.memory_backing;
    const auto pages = page_kib(module, context);
    const bool immediate =
        memory_backing && memory_backing->allocation && memory_backing->allocation->mode == "immediate";
    boost::json::object props{};
    bool prealloc = immediate;
    if (source.path || pages) {
        props = {{"qom-type", "memory-backend-file"}, {"id", "mem" + id}};
        std::string path;
        if (source.path) {
            path = *source.path;
            prealloc = true;
            out.grants.push_back({.path = path, .access = Access::read_write, .why = why});
        } else {
            const HugetlbMount* mount = nullptr;
            for (const auto& m : context.facts.hugetlb)
                if (m.page_kib == *pages) mount = &m;
            if (!mount)
                return fail(Code::internal,
                            tr("Unable to find any usable hugetlbfs mount for {0} KiB", *pages));
            path = mount->path + "/libvirt/qemu/" + short_name(context.domain, context.reserved);
            prealloc = true;
        }
        props["mem-path"] = path;
    } else if (memory_backing && memory_backing->source &&
               memory_backing->source->type == MemorySource::memfd) {
        props = {{"qom-type", "memory-backend-memfd"}, {"id", "mem" + id}};
    } else {
        props = {{"qom-type", "memory-backend-ram"}, {"id", "mem" + id}};
    }
    if (module.model == MemoryModel::virtio_mem) {
        props["reserve"] = false;
        prealloc = false; // the device itself touches what it plugs
    }
    if (const auto shared = shared_access(module, context)) props["share"] = *shared;
    if (module.discard) props["discard-data"] = module.discard == YesNo::yes;
    if (target_of(module).readonly && source.path) props["readonly"] = true;
    if (prealloc) {
        props["prealloc"] = true;
        if (memory_backing && memory_backing->allocation && memory_backing->allocation->threads)
            props["prealloc-threads"] = *memory_backing->allocation->threads;
    }
    // modules come in whole blocks of 2 MiB
    constexpr std::uint64_t block = 2u << 20;
    props["size"] = (bytes_of(target_of(module).size) + block - 1) / block * block;
    if (source.alignsize) props["align"] = source.alignsize->kib << 10;
    if (source.pmem) {
        if (!context.caps.has_property("memory-backend-file", "pmem"))
            return fail(Code::config_unsupported,
                        tr("nvdimm pmem property is not available with this QEMU binary"));
        props["pmem"] = true;
    }
    if (const auto policy = numa_policy(module, context)) {
        boost::json::array nodes;
        for (const auto node : policy->nodes->cpus) nodes.emplace_back(node);
        props["host-nodes"] = std::move(nodes);
        props["policy"] = policy->policy;
    }
    return props;
}

} // namespace

template <> void complete<MemoryModule>(MemoryModule&, const CompleteContext&) {}

template <> Result<> check<MemoryModule>(const MemoryModule& module, const CompleteContext& context) {
    const auto target = target_of(module);
    const auto source = source_of(module);
    if (!target.size) return fail(Code::xml, tr("missing or invalid size of memory device"));
    switch (module.model) {
    case MemoryModel::nvdimm:
        if (!source.path) return fail(Code::xml, tr("path is required for model 'nvdimm'"));
        if (module.discard == YesNo::yes)
            return fail(Code::config_unsupported, tr("discard is not supported for nvdimms"));
        if (target.label) {
            if (target.label->size.kib < 128)
                return fail(Code::xml, tr("nvdimm label must be at least 128KiB"));
            if (target.label->size.kib >= target.size->kib)
                return fail(Code::xml, tr("label size must be smaller than NVDIMM size"));
        }
        break;
    case MemoryModel::virtio_pmem:
        if (!source.path) return fail(Code::xml, tr("path is required for model 'virtio-pmem'"));
        if (target.node) return fail(Code::xml, tr("virtio-pmem does not support NUMA nodes"));
        break;
    case MemoryModel::virtio_mem:
        if (!target.block) return fail(Code::xml, tr("block size is required for model 'virtio-mem'"));
        if (!target.requested)
            return fail(Code::xml, tr("requested size is required for model 'virtio-mem'"));
        if (target.block->kib == 0 || (target.block->kib & (target.block->kib - 1)) != 0)
            return fail(Code::config_unsupported, tr("memory device block size has to be a power of two"));
        if (target.requested->kib > target.size->kib)
            return fail(Code::config_unsupported,
                        tr("requested size must be smaller than or equal to @size"));
        if (target.requested->kib % target.block->kib != 0)
            return fail(Code::config_unsupported,
                        tr("requested size must be an integer multiple of block size"));
        break;
    case MemoryModel::dimm: break;
    case MemoryModel::sgx_epc:
        return fail(Code::config_unsupported, tr("memory model 'sgx-epc' is not supported"));
    }
    if (!context.domain.max_memory)
        return fail(Code::config_unsupported,
                    tr("cannot use/hotplug a memory device when domain 'maxMemory' is not defined"));
    return {};
}

template <> Result<DevicePlan> plan<MemoryModule>(const MemoryModule& module, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(module.info, alias_prefix(module.model), context.index);
    const auto why = "memory " + id;
    const std::string driver(driver_of(module.model));
    if (driver.empty() || !context.caps.has_type(driver))
        return fail(Code::config_unsupported,
                    tr("{0} isn't supported by this QEMU binary", names<MemoryModel>.text(module.model)));
    auto object = TRY(backend(out, module, id, why, context));
    out.items.push_back({"object", std::move(object), why});
    const auto target = target_of(module);
    boost::json::object props{{"driver", driver}};
    if (target.node) props["node"] = *target.node;
    if (target.label) props["label-size"] = target.label->size.kib << 10;
    if (target.block) props["block-size"] = target.block->kib << 10;
    if (target.requested) props["requested-size"] = target.requested->kib << 10;
    if (module.uuid) props["uuid"] = printed(*module.uuid);
    if (target.readonly) props["unarmed"] = true;
    props["memdev"] = "mem" + id;
    if (module.model == MemoryModel::virtio_mem && page_kib(module, context) &&
        context.caps.has_property(driver, "prealloc"))
        props["prealloc"] = true;
    props["id"] = id;
    if (is_virtio(module.model)) {
        TRY(add_address(props, module.info, context.domain));
    } else if (const auto* slot = address_of<DimmAddress>(module.info)) {
        if (slot->slot) props["slot"] = *slot->slot;
        if (slot->base) props["addr"] = slot->base->value;
    }
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
