/// The images of a disk, top first, and the numbers that QEMU's block nodes are called by.
#pragma once

#include "conf/domain/domain.hpp"
#include "driver/facts/host_facts.hpp"

namespace cloister {

/// One image: points into the disk, valid while the disk is not changed.
struct Image {
    SourceType type = SourceType::file;
    const Source* source = nullptr; ///< null: an empty drive
    std::string_view format = "raw";
    const MetadataCache* metadata_cache = nullptr;
    std::uint32_t index = 0; ///< N of libvirt-N-format; 0 before assign_image_indexes
    bool top = false;
};

/// The chain as far as it is written down, top first. Empty for an empty drive.
std::vector<Image> images(const Disk& disk);

/// True when the last image of the chain is known to have nothing below it.
bool chain_ends(const Disk& disk);

/// The path that a local image (file, block, dir) stands at; null for the others.
const std::string* local_path(SourceType type, const Source& source);

/// What a start writes into the disks of a running guest: the layers that were found by probing, and the
/// number of every image. Numbers go from the last disk to the first, each chain from the top down; layers
/// found by probing come after all that the text named.
void prepare_disks(Domain& domain, const HostFacts& facts);

/// The same for one disk that is attached to a running guest: numbers above all in use.
void prepare_disk(Disk& disk, const Domain& domain, const HostFacts& facts);

/// The highest number in use; 0 for none.
std::uint32_t highest_image_index(const Domain& domain);

/// "libvirt-N-format", "libvirt-N-storage", "libvirt-N-backend".
std::string node_name(std::uint32_t index, std::string_view role);

} // namespace cloister
