#include "driver/device/image_chain.hpp"

#include "conf/domain/devices.hpp"

#include <algorithm>
#include <ranges>

namespace cloister {

namespace {

/// Where the next layer is, or would be, noted.
std::vector<BackingStore>* tail(BackingStore& layer) {
    auto* at = &layer;
    while (!at->below.empty()) at = &at->below.front();
    return at->ends() ? nullptr : &at->below;
}

const PathFact* fact_of(SourceType type, const Source& source, const HostFacts& facts) {
    const auto* path = local_path(type, source);
    if (!path) return nullptr;
    const auto found = facts.paths.find(*path);
    return found == facts.paths.end() ? nullptr : &found->second;
}

BackingStore probed(const ImageLayer& layer, const HostFacts& facts) {
    BackingStore out;
    out.type = SourceType::file;
    out.format = ImageFormat{.type = layer.format};
    out.source = Source{};
    if (const auto found = facts.paths.find(layer.path);
        found != facts.paths.end() && found->second.kind == PathKind::block_device) {
        out.type = SourceType::block;
        out.source->dev = layer.path;
    } else {
        out.source->file = layer.path;
    }
    return out;
}

/// Appends to the chain what probing found below its last written layer.
void complete_chain(Disk& disk, const HostFacts& facts) {
    if (!disk.source || chain_ends(disk)) return;
    const auto known = images(disk);
    if (known.empty()) return;
    const auto* fact = fact_of(known.back().type, *known.back().source, facts);
    if (!fact || !fact->chain_probed) return;

    BackingStore chain; // an element without a type ends it
    for (const auto& layer : fact->backing | std::views::reverse) {
        auto above = probed(layer, facts);
        above.below.push_back(std::move(chain));
        chain = std::move(above);
    }
    if (!disk.backing_store)
        disk.backing_store = std::move(chain);
    else if (auto* at = tail(*disk.backing_store))
        at->push_back(std::move(chain));
}

/// Numbers every image that has no number yet, from `next` on.
void number(Disk& disk, std::uint32_t& next) {
    if (!disk.source) return;
    if (!disk.source->index) disk.source->index = next++;
    for (auto* layer = disk.backing_store ? &*disk.backing_store : nullptr; layer && !layer->ends();
         layer = layer->below.empty() ? nullptr : &layer->below.front())
        if (!layer->index) {
            layer->index = next++;
            if (layer->source) layer->source->index.reset(); // it is written on <backingStore>
        }
}

void forget_numbers(Disk& disk) {
    if (disk.source) disk.source->index.reset();
    for (auto* layer = disk.backing_store ? &*disk.backing_store : nullptr; layer;
         layer = layer->below.empty() ? nullptr : &layer->below.front())
        layer->index.reset();
}

bool is_scsi(const Hostdev& hostdev) { return std::holds_alternative<ScsiHostdev>(hostdev.host); }

} // namespace

const std::string* local_path(SourceType type, const Source& source) {
    switch (type) {
    case SourceType::file: return source.file ? &*source.file : nullptr;
    case SourceType::block: return source.dev ? &*source.dev : nullptr;
    case SourceType::dir: return source.dir ? &*source.dir : nullptr;
    case SourceType::network:
    case SourceType::volume:
    case SourceType::nvme:
    case SourceType::vhostuser: break;
    }
    return nullptr;
}

std::vector<Image> images(const Disk& disk) {
    std::vector<Image> out;
    if (!disk.source) return out;
    const auto* driver = disk.driver ? &*disk.driver : nullptr;
    out.push_back({.type = disk.type.value_or(SourceType::file),
                   .source = &*disk.source,
                   .format = driver && driver->type ? std::string_view(*driver->type) : "raw",
                   .metadata_cache = driver && driver->metadata_cache ? &*driver->metadata_cache : nullptr,
                   .index = disk.source->index.value_or(0),
                   .top = true});
    for (const auto* layer = disk.backing_store ? &*disk.backing_store : nullptr;
         layer && !layer->ends() && layer->source;
         layer = layer->below.empty() ? nullptr : &layer->below.front())
        out.push_back({.type = *layer->type,
                       .source = &*layer->source,
                       .format = layer->format ? std::string_view(layer->format->type) : "raw",
                       .metadata_cache = layer->format && layer->format->metadata_cache
                                             ? &*layer->format->metadata_cache
                                             : nullptr,
                       .index = layer->index.value_or(0)});
    return out;
}

bool chain_ends(const Disk& disk) {
    for (const auto* layer = disk.backing_store ? &*disk.backing_store : nullptr; layer;
         layer = layer->below.empty() ? nullptr : &layer->below.front())
        if (layer->ends()) return true;
    return false;
}

void prepare_disks(Domain& domain, const HostFacts& facts) {
    auto disks = devices_of<Disk>(domain);
    std::erase_if(disks, [](const Disk* d) { return d->target.bus == DiskBus::sd; }); // no nodes of their own
    std::ranges::reverse(disks);
    std::uint32_t next = 1;
    for (auto* disk : disks) {
        forget_numbers(*disk);
        if (disk->source)
            number(*disk, next);
        else
            ++next; // an empty drive has a number too: media that is inserted later gets a new one
    }
    next += static_cast<std::uint32_t>(
        std::ranges::count_if(devices_of<Hostdev>(domain), [](const Hostdev* h) { return is_scsi(*h); }));
    for (auto* disk : disks) {
        complete_chain(*disk, facts);
        number(*disk, next);
    }
}

void prepare_disk(Disk& disk, const Domain& domain, const HostFacts& facts) {
    auto next = highest_image_index(domain) + 1;
    forget_numbers(disk);
    complete_chain(disk, facts);
    number(disk, next);
}

std::uint32_t highest_image_index(const Domain& domain) {
    std::uint32_t highest = 0, empty = 0, scsi = 0;
    for (const auto& device : domain.devices.list) {
        if (const auto* disk = std::get_if<Disk>(&device)) {
            if (!disk->source) ++empty;
            for (const auto& image : images(*disk)) highest = std::max(highest, image.index);
        } else if (const auto* hostdev = std::get_if<Hostdev>(&device)) {
            if (is_scsi(*hostdev)) ++scsi;
        }
    }
    return highest + empty + scsi;
}

std::string node_name(std::uint32_t index, std::string_view role) {
    return "libvirt-" + std::to_string(index) + "-" + std::string(role);
}

} // namespace cloister
