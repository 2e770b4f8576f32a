/// Looking at disk images. The daemon opens them and never reads a byte: their headers are read in a child
/// (security/image_main.cpp). Blocking: for a worker thread.
#pragma once

#include "driver/facts/host_facts.hpp"
#include "security/kernel/image_reader.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// Where images may be, by their real paths.
struct ImageFolders {
    std::vector<std::string>
        chain{}; ///< qemu.conf's backing_chain_paths, for all but the top; empty: anywhere
    std::optional<std::vector<std::string>> all{}; ///< see HostQuestions::within
};

/// The layers below `path`, read from the images' headers, nearest first. Where the folders are restricted,
/// the layers are told by their real paths. Errors: as host_facts; config_unsupported for an external data
/// file.
Result<std::vector<ImageLayer>> backing_chain(ImageReader& reader, const ImageFolders& allowed,
                                              const std::string& path, const std::string& format);

/// Whether an image whose chain is known may be opened: it names no other files. Errors: as backing_chain.
Result<> check_image(ImageReader& reader, const std::string& path, const std::string& format);

/// The size of the guest's disk as the image's header tells it; 0: it does not.
Result<std::uint64_t> image_size(ImageReader& reader, const std::string& path, const std::string& format);

} // namespace cloister
