/// What the first bytes of a disk image say: its format, its size, what it stands on. Pure, and without any
/// library: it runs in the child that reads images (image_main.cpp), and nowhere in the daemon.
/// Source: QEMU's docs/interop/qcow2.txt, qed_spec.txt (7.2); the published VMDK, VHD, VHDX, VDI and LUKS
/// formats.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// As many bytes from the beginning of an image as image_header() may want to see.
inline constexpr std::size_t image_header_bytes = 65536;
/// The longest name that an image may hold, as in QEMU.
inline constexpr std::size_t longest_image_name = 1023;
/// The largest disk that QEMU can address.
inline constexpr std::uint64_t largest_image_size = INT64_MAX;

struct ImageHeader {
    std::string format = "raw";           ///< "qcow2", "qed", "vmdk" …; "raw" for what has no known mark
    std::uint64_t size = 0;               ///< of the guest's disk, bytes; 0: the header does not say
    std::optional<std::string> backing{}; ///< as written: may be relative, or name a protocol
    std::optional<std::string> backing_format{}; ///< absent: not recorded
    std::optional<std::string> data_file{};      ///< an external file that holds the data
    bool encrypted = false;
    std::vector<std::string> features{}; ///< "dirty", "corrupt", "data-file" …: see image_features
    bool operator==(const ImageHeader&) const = default;
};

enum class ImageFault {
    no_header, ///< the mark of the format is missing, or the header is cut off
    number,    ///< a size, version or offset that no image can have
    name,      ///< a name that is empty, too long, outside of the header, not UTF-8, or holds control bytes
    files,     ///< the image is only a description: its data is in files that the description names
};
inline constexpr std::string_view image_fault_words[]{"no-header", "number", "name", "files"};

/// What ImageHeader::features may hold.
inline constexpr std::string_view image_features[]{"dirty",       "corrupt",     "data-file",
                                                   "compression", "extended-l2", "unknown"};

/// The format that the bytes look like. Not to be believed of a disk that a guest can write: it could have
/// put any mark there.
std::string_view detected_format(std::string_view bytes);

/// The header of an image whose format is known: nothing else is looked for. Of formats that stand on nothing
/// only the mark and the size are looked at, of "raw" and unknown ones nothing.
std::expected<ImageHeader, ImageFault> image_header(std::string_view bytes, std::string_view format);

/// A name that may be shown, compared and opened: 1 to 1023 bytes of UTF-8 without control characters.
bool is_plain_name(std::string_view name);

/// The child's answer as JSON: {"header": {…}} or {"fault": "…"}.
std::string printed(const std::expected<ImageHeader, ImageFault>& read);

} // namespace cloister
