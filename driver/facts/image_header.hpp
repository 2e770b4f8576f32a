/// What the first bytes of a disk image say: its format, its size, what it stands on. Pure.
/// Source: QEMU's docs/interop/qcow2.txt (7.2).
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cloister {

/// As many bytes from the beginning of an image as image_header() may want to see.
inline constexpr std::size_t image_header_bytes = 65536;

struct ImageHeader {
    std::string format = "raw";           ///< "qcow2", "qed", "vmdk" …; "raw" for what has no known mark
    std::uint64_t size = 0;               ///< of the guest's disk, bytes; 0: the header does not say
    std::optional<std::string> backing{}; ///< as written: may be relative, or name a protocol
    std::optional<std::string> backing_format{}; ///< absent: not recorded
    std::optional<std::string> data_file{};      ///< an external file that holds the data
    bool encrypted = false;
    bool operator==(const ImageHeader&) const = default;
};

/// The format that the bytes look like. Not to be believed of a disk that a guest can write: it could have
/// put any mark there.
std::string detected_format(std::string_view bytes);

/// The header of an image whose format is known: nothing else is looked for. Of a format other than qcow2
/// only the format is told. Errors: internal "invalid header" when the bytes are not of that format.
Result<ImageHeader> image_header(std::string_view bytes, std::string_view format);

/// Where a backing name leads: an absolute path, made so against the folder of the image that names it.
/// Errors: config_unsupported for a protocol ("nbd://…", "json:{…}", "rbd:…"), which is named.
Result<std::string> backing_path(std::string_view image, std::string_view written);

} // namespace cloister
