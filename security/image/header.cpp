#include "security/image/header.hpp"

#include <algorithm>
#include <array>

namespace cloister {

namespace {

using Read = std::expected<ImageHeader, ImageFault>;
using namespace std::string_view_literals;

constexpr std::uint32_t extension_end = 0;
constexpr std::uint32_t extension_backing_format = 0xE2792ACA;
constexpr std::uint32_t extension_data_file = 0x44415441;
constexpr std::uint64_t data_file_bit = 1 << 2;
constexpr std::size_t v2_length = 72;
constexpr std::uint64_t sector = 512;

struct Mark {
    std::string_view format;
    std::size_t at;
    std::string_view bytes;
};
constexpr std::array marks{
    Mark{"qcow2", 0, "QFI\xfb\0\0\0\x03"sv},
    Mark{"qcow2", 0, "QFI\xfb\0\0\0\x02"sv},
    Mark{"qcow", 0, "QFI\xfb\0\0\0\x01"sv},
    Mark{"qed", 0, "QED\0"sv},
    Mark{"vmdk", 0, "KDMV"sv},
    Mark{"vmdk", 0, "COWD"sv},
    Mark{"vmdk", 0, "# Disk DescriptorFile"sv},
    Mark{"vdi", 64, "\x7f\x10\xda\xbe"sv},
    Mark{"vpc", 0, "conectix"sv},
    Mark{"vhdx", 0, "vhdxfile"sv},
    Mark{"luks", 0, "LUKS\xba\xbe"sv},
    Mark{"bochs", 0, "Bochs Virtual HD Image"sv},
    Mark{"parallels", 0, "WithoutFreeSpace"sv},
    Mark{"parallels", 0, "WithouFreSpacExt"sv},
};

bool marked(std::string_view bytes, std::string_view format) {
    for (const auto& mark : marks)
        if (mark.format == format && bytes.size() >= mark.at && bytes.substr(mark.at).starts_with(mark.bytes))
            return true;
    return false;
}

/// Numbers of either byte order; what lies outside reads as nothing.
class Bytes {
public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
    template <class T> std::optional<T> big(std::uint64_t at) const {
        if (!has(at, sizeof(T))) return std::nullopt;
        T out = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            out = static_cast<T>(static_cast<T>(out << 8) | static_cast<unsigned char>(bytes_[at + i]));
        return out;
    }
    template <class T> std::optional<T> little(std::uint64_t at) const {
        if (!has(at, sizeof(T))) return std::nullopt;
        T out = 0;
        for (std::size_t i = sizeof(T); i-- > 0;)
            out = static_cast<T>(static_cast<T>(out << 8) | static_cast<unsigned char>(bytes_[at + i]));
        return out;
    }
    std::optional<std::string_view> text(std::uint64_t at, std::uint64_t length) const {
        if (!has(at, length)) return std::nullopt;
        return bytes_.substr(at, length);
    }

private:
    bool has(std::uint64_t at, std::uint64_t length) const {
        return at <= bytes_.size() && bytes_.size() - at >= length;
    }
    std::string_view bytes_;
};

std::unexpected<ImageFault> fault(ImageFault what) { return std::unexpected(what); }

/// A name of the header, or the fault of not being one.
std::expected<std::string, ImageFault> name_at(const Bytes& in, std::uint64_t at, std::uint64_t length) {
    const auto name = length <= longest_image_name ? in.text(at, length) : std::nullopt;
    if (!name || !is_plain_name(*name)) return fault(ImageFault::name);
    return std::string(*name);
}

std::expected<void, ImageFault> read_extensions(const Bytes& in, std::uint64_t at, ImageHeader& out) {
    for (;;) {
        const auto type = in.big<std::uint32_t>(at);
        const auto length = in.big<std::uint32_t>(at + 4);
        if (!type || !length) return fault(ImageFault::no_header); // the end mark is required
        if (*type == extension_end) return {};
        if (!in.text(at + 8, *length)) return fault(ImageFault::number);
        if (*type == extension_backing_format || *type == extension_data_file) {
            auto name = name_at(in, at + 8, *length);
            if (!name) return fault(name.error());
            auto& where = *type == extension_backing_format ? out.backing_format : out.data_file;
            if (where) return fault(ImageFault::name); // twice: which of them QEMU takes is not to be guessed
            where = std::move(*name);
        }
        at += 8 + ((std::uint64_t{*length} + 7) & ~std::uint64_t{7});
    }
}

/// Version 3's incompatible features. An external data file is one exactly when bit and name say so.
std::expected<void, ImageFault> read_features(const Bytes& in, ImageHeader& out) {
    const auto bits = in.big<std::uint64_t>(72);
    if (!bits) return fault(ImageFault::no_header);
    for (unsigned bit = 0; bit < 5; ++bit)
        if ((*bits >> bit & 1) != 0) out.features.emplace_back(image_features[bit]);
    if (*bits >> 5 != 0) out.features.emplace_back("unknown");
    return {};
}

Read qcow2(std::string_view bytes) {
    const Bytes in(bytes);
    const auto version = in.big<std::uint32_t>(4);
    const auto name_offset = in.big<std::uint64_t>(8);
    const auto name_length = in.big<std::uint32_t>(16);
    const auto cluster_bits = in.big<std::uint32_t>(20);
    const auto size = in.big<std::uint64_t>(24);
    const auto crypt = in.big<std::uint32_t>(32);
    if (!version || !name_offset || !name_length || !cluster_bits || !size || !crypt)
        return fault(ImageFault::no_header);
    if (*cluster_bits < 9 || *cluster_bits > 21 || *size > largest_image_size || *crypt > 2)
        return fault(ImageFault::number);
    ImageHeader out{.format = "qcow2", .size = *size, .encrypted = *crypt != 0};
    const auto length = *version >= 3 ? in.big<std::uint32_t>(100) : std::optional(std::uint32_t{v2_length});
    if (!length || !in.text(0, v2_length)) return fault(ImageFault::no_header);
    if (*version >= 3 && *length < 104) return fault(ImageFault::number);
    if (*version >= 3)
        if (auto read = read_features(in, out); !read) return fault(read.error());
    // Version 2 files of old writers have no extensions: the backing name may begin right here.
    if (*version >= 3 || !*name_offset || *name_offset > v2_length + 8)
        if (auto read = read_extensions(in, *length, out); !read) return fault(read.error());
    const bool external = *version >= 3 && (in.big<std::uint64_t>(72).value_or(0) & data_file_bit) != 0;
    if (external != out.data_file.has_value()) return fault(ImageFault::name);
    if (*name_offset != 0) {
        auto name = name_at(in, *name_offset, *name_length);
        if (!name) return fault(name.error());
        out.backing = std::move(*name);
    } else {
        out.backing_format.reset();
    }
    return out;
}

Read qcow(std::string_view bytes) {
    const Bytes in(bytes);
    const auto name_offset = in.big<std::uint64_t>(8);
    const auto name_length = in.big<std::uint32_t>(16);
    const auto size = in.big<std::uint64_t>(24);
    const auto crypt = in.big<std::uint32_t>(36);
    if (!name_offset || !name_length || !size || !crypt) return fault(ImageFault::no_header);
    if (*size > largest_image_size || *crypt > 1) return fault(ImageFault::number);
    ImageHeader out{.format = "qcow", .size = *size, .encrypted = *crypt != 0};
    if (*name_offset == 0) return out;
    auto name = name_at(in, *name_offset, *name_length);
    if (!name) return fault(name.error());
    out.backing = std::move(*name);
    return out;
}

Read qed(std::string_view bytes) {
    constexpr std::uint64_t has_backing = 1, backing_is_raw = 4;
    const Bytes in(bytes);
    const auto features = in.little<std::uint64_t>(16);
    const auto size = in.little<std::uint64_t>(48);
    const auto name_offset = in.little<std::uint32_t>(56);
    const auto name_length = in.little<std::uint32_t>(60);
    if (!features || !size || !name_offset || !name_length) return fault(ImageFault::no_header);
    if (*size > largest_image_size || (*features & ~std::uint64_t{7}) != 0) return fault(ImageFault::number);
    ImageHeader out{.format = "qed", .size = *size};
    if ((*features & has_backing) == 0) return out;
    auto name = name_at(in, *name_offset, *name_length);
    if (!name) return fault(name.error());
    out.backing = std::move(*name);
    if ((*features & backing_is_raw) != 0) out.backing_format = "raw";
    return out;
}

/// The value of `key="…"` at the beginning of a line.
std::optional<std::string_view> quoted(std::string_view description, std::string_view key) {
    for (std::size_t at = 0; at < description.size();) {
        const auto end = std::min(description.find('\n', at), description.size());
        const auto line = description.substr(at, end - at);
        at = end + 1;
        if (!line.starts_with(key)) continue;
        const auto from = line.find('"'), to = line.rfind('"');
        if (from == line.npos || to == from) return ""sv;
        return line.substr(from + 1, to - from - 1);
    }
    return std::nullopt;
}

/// Only the sparse file that describes itself: of a mere description QEMU would open whatever it names.
Read vmdk(std::string_view bytes) {
    if (!bytes.starts_with("KDMV")) return fault(ImageFault::files);
    const Bytes in(bytes);
    const auto sectors = in.little<std::uint64_t>(12);
    const auto where = in.little<std::uint64_t>(28);
    const auto length = in.little<std::uint64_t>(36);
    if (!sectors || !where || !length) return fault(ImageFault::no_header);
    if (*sectors == 0) return fault(ImageFault::files);
    if (*sectors > largest_image_size / sector || *where > image_header_bytes / sector ||
        *length > image_header_bytes)
        return fault(ImageFault::number);
    ImageHeader out{.format = "vmdk", .size = *sectors * sector};
    if (*where == 0) return out;
    const auto all = in.text(*where * sector, *length * sector);
    if (!all) return fault(ImageFault::no_header); // what is not seen may name anything
    const auto description = all->substr(0, all->find('\0'));
    const auto parent = quoted(description, "parentFileNameHint=");
    if (!parent) return out;
    if (!is_plain_name(*parent)) return fault(ImageFault::name);
    out.backing = std::string(*parent);
    out.backing_format = "vmdk";
    return out;
}

Read with_size(std::string_view format, std::optional<std::uint64_t> size) {
    if (!size) return fault(ImageFault::no_header);
    if (*size > largest_image_size) return fault(ImageFault::number);
    return ImageHeader{.format = std::string(format), .size = *size};
}

} // namespace

std::string_view detected_format(std::string_view bytes) {
    for (const auto& mark : marks)
        if (bytes.size() >= mark.at && bytes.substr(mark.at).starts_with(mark.bytes)) return mark.format;
    return "raw";
}

std::expected<ImageHeader, ImageFault> image_header(std::string_view bytes, std::string_view format) {
    const Bytes in(bytes);
    // A fixed VHD has its mark at the end of the file only.
    if (format == "vpc" && !marked(bytes, format)) return ImageHeader{.format = "vpc"};
    const auto of_format = [&](const Mark& mark) { return mark.format == format; };
    if (std::ranges::any_of(marks, of_format) && !marked(bytes, format)) return fault(ImageFault::no_header);
    if (format == "qcow2") return qcow2(bytes);
    if (format == "qcow") return qcow(bytes);
    if (format == "qed") return qed(bytes);
    if (format == "vmdk") return vmdk(bytes);
    if (format == "vdi") return with_size(format, in.little<std::uint64_t>(368));
    if (format == "vpc") return with_size(format, in.big<std::uint64_t>(48));
    return ImageHeader{.format = std::string(format), .encrypted = format == "luks"};
}

} // namespace cloister
