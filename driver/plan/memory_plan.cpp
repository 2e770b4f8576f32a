#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/plan/parts.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;

std::uint64_t whole_mib(std::uint64_t kib) { return (kib + 1023) / 1024 * 1024; }

const std::vector<NumaCell>* cells_of(const Domain& domain) {
    if (!domain.cpu || !domain.cpu->numa || domain.cpu->numa->cells.empty()) return nullptr;
    return &domain.cpu->numa->cells;
}

std::uint64_t module_kib(const Domain& domain) {
    std::uint64_t sum = 0;
    for (const auto* module : devices_of<MemoryModule>(domain))
        if (module->target && module->target->size) sum += module->target->size->kib;
    return sum;
}

/// The memory of one NUMA cell, or (no cell) of the whole guest.
struct Block {
    std::string id{};
    std::uint64_t kib = 0;
    const NumaCell* cell = nullptr;
    std::uint32_t number = 0;
};

struct Policy {
    CpuSet nodes{};
    std::string_view name{};
};
std::string_view policy_name(NumaTuneMode mode) {
    switch (mode) {
    case NumaTuneMode::strict: return "bind";
    case NumaTuneMode::preferred: return "preferred";
    case NumaTuneMode::interleave: return "interleave";
    case NumaTuneMode::restrictive: break; // the cpuset of the cgroup alone decides
    }
    return {};
}
std::optional<Policy> policy_of(const Block& block, const Domain& domain) {
    if (!domain.numatune) return std::nullopt;
    const auto& tune = *domain.numatune;
    const auto general =
        tune.memory ? tune.memory->mode.value_or(NumaTuneMode::strict) : NumaTuneMode::strict;
    if (block.cell)
        for (const auto& node : tune.nodes)
            if (node.cell == block.number) {
                const auto name = policy_name(node.mode.value_or(general));
                return name.empty() ? std::nullopt : std::optional(Policy{node.nodeset, name});
            }
    if (!tune.memory || !tune.memory->nodeset || policy_name(general).empty()) return std::nullopt;
    return Policy{*tune.memory->nodeset, policy_name(general)};
}

/// The size of the huge pages that a block is made of; nullopt: ordinary pages.
Result<std::optional<std::uint64_t>> page_kib(const Block& block, const PlanContext& context) {
    const auto& backing = context.domain.memory_backing;
    if (!backing || !backing->hugepages) return std::nullopt;
    const auto& pages = backing->hugepages->pages;
    const HugePage* found = nullptr;
    for (const auto& page : pages)
        if (!page.nodeset || (block.cell && page.nodeset->contains(block.number)) ||
            (!block.cell && page.nodeset->contains(0)))
            if (!found || page.nodeset) found = &page;
    if (!pages.empty() && !found) return std::nullopt;
    if (found) {
        if (found->size_kib << 10 == context.facts.page_size) return std::nullopt;
        return found->size_kib;
    }
    for (const auto& mount : context.facts.hugetlb)
        if (mount.is_default) return mount.page_kib;
    return fail(Code::internal,
                tr("hugetlbfs filesystem is not mounted or disabled by administrator config"));
}

std::string short_name(const PlanContext& context) {
    return fmt::format("{}-{}", context.domain.id.value_or(context.reserved.id), context.domain.name);
}

struct Backend {
    object props{};
    bool needed = false; ///< more than plain anonymous memory
};

Result<Backend> backend(DevicePlan& out, const Block& block, const PlanContext& context) {
    const auto& domain = context.domain;
    const auto memory = domain.memory_backing.value_or(MemoryBacking{});
    const auto source = memory.source ? memory.source->type : MemorySource::anonymous;
    const auto huge = TRY(page_kib(block, context));
    const bool immediate = memory.allocation && memory.allocation->mode == "immediate";
    bool preallocated = immediate;
    Backend result;
    auto& props = result.props;
    std::string type = "memory-backend-ram";
    if (source == MemorySource::memfd) {
        type = "memory-backend-memfd";
        props = {{"qom-type", type}, {"id", block.id}};
        if (huge) {
            props["hugetlb"] = true;
            props["hugetlbsize"] = *huge << 10;
            preallocated = true;
        }
    } else if (huge || source == MemorySource::file) {
        type = "memory-backend-file";
        std::string folder, path;
        if (huge) {
            const auto mount = std::ranges::find(context.facts.hugetlb, *huge, &HugetlbMount::page_kib);
            if (mount == context.facts.hugetlb.end())
                return fail(Code::internal,
                            tr("Unable to find any usable hugetlbfs mount for {0} KiB", *huge));
            folder = path = fmt::format("{}/libvirt/qemu/{}", mount->path, short_name(context));
            preallocated = true;
        } else {
            folder = fmt::format("{}/{}", context.conf.memory_backing_dir, short_name(context));
            path = fmt::format("{}/{}", folder, block.id);
        }
        if (std::ranges::find(out.directories, folder, &MadeDirectory::path) == out.directories.end()) {
            out.directories.push_back({.path = folder, .mode = 0700});
            out.grants.push_back({.path = folder,
                                  .kind = Kind::directory,
                                  .access = Access::read_write,
                                  .created_by_us = true,
                                  .why = huge ? "memoryBacking hugepages" : "memoryBacking source file"});
        }
        props = {{"qom-type", type}, {"id", block.id}, {"mem-path", path}};
    } else {
        props = {{"qom-type", type}, {"id", block.id}};
    }
    result.needed = type != "memory-backend-ram";

    std::optional<bool> shared;
    if (block.cell && block.cell->access)
        shared = block.cell->access == MemoryAccess::shared;
    else if (memory.access)
        shared = memory.access->mode == "shared";
    if (shared) {
        props["share"] = *shared;
        result.needed = true;
    }
    if (!block.cell && type != "memory-backend-ram" &&
        context.caps.has_property(type, "x-use-canonical-path-for-ramblock-id"))
        props["x-use-canonical-path-for-ramblock-id"] = false;
    const bool discard =
        block.cell && block.cell->discard ? block.cell->discard == YesNo::yes : memory.discard;
    if (type == "memory-backend-file" && (discard || (block.cell && block.cell->discard))) {
        props["discard-data"] = discard;
        result.needed = true;
    }
    if (preallocated) {
        props["prealloc"] = true;
        if (memory.allocation && memory.allocation->threads)
            props["prealloc-threads"] = *memory.allocation->threads;
    }
    props["size"] = block.kib << 10;
    if (const auto policy = policy_of(block, domain); policy && block.cell) {
        boost::json::array nodes;
        for (const auto node : policy->nodes.cpus) nodes.emplace_back(node);
        props["host-nodes"] = std::move(nodes);
        props["policy"] = policy->name;
        result.needed = true;
    }
    return result;
}

void add_size(DevicePlan& out, const Domain& domain) {
    const auto kib = initial_memory_kib(domain);
    if (domain.max_memory && domain.max_memory->slots > 0) {
        out.items.push_back({"m",
                             fmt::format("size={}k,slots={},maxmem={}k", kib, domain.max_memory->slots,
                                         domain.max_memory->kib),
                             "memory, maxMemory"});
        return;
    }
    out.items.push_back({"m", std::to_string(kib / 1024), "memory"});
}

Result<> add_numa(DevicePlan& out, const PlanContext& context, const QemuMachine* machine) {
    const auto& cells = *cells_of(context.domain);
    std::vector<std::pair<Block, Backend>> blocks;
    bool needed = !machine || !machine->numa_mem;
    for (std::uint32_t i = 0; i < cells.size(); ++i) {
        const auto number = cells[i].id.value_or(i);
        Block block{fmt::format("ram-node{}", number), whole_mib(cells[i].memory_kib), &cells[i], number};
        auto made = TRY(backend(out, block, context));
        needed = needed || made.needed;
        blocks.emplace_back(std::move(block), std::move(made));
    }
    const auto& backing = context.domain.memory_backing;
    if (!needed && backing && backing->allocation && backing->allocation->mode == "immediate")
        out.items.push_back({"mem-prealloc", {}, "memoryBacking allocation"});
    for (auto& [block, made] : blocks) {
        const auto why = fmt::format("cpu numa cell {}", block.number);
        if (needed) out.items.push_back({"object", std::move(made.props), why});
        KeyValues text("node");
        text.add("nodeid", std::to_string(block.number));
        if (block.cell->cpus && !block.cell->cpus->cpus.empty()) {
            const auto ranges = printed(*block.cell->cpus);
            for (std::size_t at = 0; at < ranges.size();) {
                const auto end = std::min(ranges.find(',', at), ranges.size());
                text.add("cpus", std::string_view(ranges).substr(at, end - at));
                at = end + 1;
            }
        }
        if (needed)
            text.add("memdev", block.id);
        else
            text.add("mem", std::to_string(block.kib / 1024));
        out.items.push_back({"numa", text.text(), why});
    }
    for (const auto& [block, made] : blocks) {
        if (!block.cell->distances) continue;
        for (const auto& sibling : block.cell->distances->siblings) {
            KeyValues text("dist");
            text.add("src", std::to_string(block.number));
            text.add("dst", std::to_string(sibling.id));
            text.add("val", std::to_string(sibling.value));
            out.items.push_back({"numa", text.text(), "cpu numa distances"});
        }
    }
    return {};
}

void add_smp(DevicePlan& out, const Domain& domain) {
    const auto vcpu = domain.vcpu.value_or(Vcpu{});
    KeyValues text(std::to_string(vcpu.current.value_or(vcpu.count)));
    if (vcpu.current && *vcpu.current != vcpu.count) text.add("maxcpus", std::to_string(vcpu.count));
    if (domain.cpu && domain.cpu->topology) {
        const auto& t = *domain.cpu->topology;
        text.add("sockets", std::to_string(t.sockets));
        if (t.dies) text.add("dies", std::to_string(*t.dies));
        text.add("cores", std::to_string(t.cores)).add("threads", std::to_string(t.threads));
    } else {
        text.add("sockets", std::to_string(vcpu.count)).add("cores", "1").add("threads", "1");
    }
    out.items.push_back({"smp", text.text(), "vcpu"});
}

void add_pool(object& props, const std::optional<int>& least, const std::optional<int>& most) {
    if (least) props["thread-pool-min"] = *least;
    if (most) props["thread-pool-max"] = *most;
}

void add_iothreads(DevicePlan& out, const Domain& domain) {
    if (domain.iothreadids)
        for (const auto& thread : domain.iothreadids->threads) {
            object props{{"qom-type", "iothread"}, {"id", fmt::format("iothread{}", thread.id)}};
            add_pool(props, thread.thread_pool_min, thread.thread_pool_max);
            out.items.push_back({"object", std::move(props), fmt::format("iothread {}", thread.id)});
        }
    else
        for (std::uint32_t i = 1; i <= domain.iothreads.value_or(0); ++i)
            out.items.push_back({"object",
                                 object{{"qom-type", "iothread"}, {"id", fmt::format("iothread{}", i)}},
                                 fmt::format("iothread {}", i)});
    if (const auto& loop = domain.defaultiothread; loop && (loop->thread_pool_min || loop->thread_pool_max)) {
        object props{{"qom-type", "main-loop"}, {"id", "main-loop"}};
        add_pool(props, loop->thread_pool_min, loop->thread_pool_max);
        out.items.push_back({"object", std::move(props), "defaultiothread"});
    }
}

} // namespace

std::uint64_t initial_memory_kib(const Domain& domain) {
    if (const auto* cells = cells_of(domain)) {
        std::uint64_t sum = 0;
        for (const auto& cell : *cells) sum += whole_mib(cell.memory_kib);
        return sum;
    }
    const auto total = domain.memory ? domain.memory->kib : 0;
    const auto modules = module_kib(domain);
    return whole_mib(total > modules ? total - modules : 0);
}

Result<DevicePlan> memory_items(const PlanContext& context) {
    DevicePlan out;
    const auto& domain = context.domain;
    const auto* machine = context.caps.machine(domain.os.type.machine.value_or(""));
    add_size(out, domain);
    if (!cells_of(domain) && machine && machine->default_ram_id) {
        auto made = TRY(backend(out, {*machine->default_ram_id, initial_memory_kib(domain)}, context));
        out.items.push_back({"object", std::move(made.props), "memory"});
    }
    const bool locked = domain.memory_backing && domain.memory_backing->locked;
    out.items.push_back({"overcommit", locked ? "mem-lock=on" : "mem-lock=off", "memoryBacking locked"});
    add_smp(out, domain);
    add_iothreads(out, domain);
    if (cells_of(domain)) TRY(add_numa(out, context, machine));
    return out;
}

} // namespace cloister
