#include "driver/facts/image_header.hpp"

#include "conf/base/tr.hpp"

#include <array>

namespace cloister {

namespace {

constexpr std::uint32_t extension_end = 0;
constexpr std::uint32_t extension_backing_format = 0xE2792ACA;
constexpr std::uint32_t extension_data_file = 0x44415441;
constexpr std::size_t v2_length = 72;
constexpr std::size_t longest_name = 1023;

struct Mark {
    std::string_view format;
    std::size_t at;
    std::string_view bytes;
};
using namespace std::string_view_literals;
constexpr std::array marks{
    Mark{"qcow2", 0, "QFI\xfb\0\0\0\x03"sv},
    Mark{"qcow2", 0, "QFI\xfb\0\0\0\x02"sv},
    Mark{"qcow", 0, "QFI\xfb\0\0\0\x01"sv},
    Mark{"qed", 0, "QED\0"sv},
    Mark{"vmdk", 0, "KDMV"sv},
    Mark{"vdi", 64, "\x7f\x10\xda\xbe"sv},
    Mark{"vpc", 0, "conectix"sv},
    Mark{"vhdx", 0, "vhdxfile"sv},
    Mark{"luks", 0, "LUKS\xba\xbe"sv},
    Mark{"bochs", 0, "Bochs Virtual HD Image"sv},
    Mark{"parallels", 0, "WithoutFreeSpace"sv},
};

bool marked(std::string_view bytes, const Mark& mark) {
    return bytes.size() >= mark.at && bytes.substr(mark.at).starts_with(mark.bytes);
}

/// Big-endian numbers; what lies outside reads as nothing.
class Bytes {
public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
    template <class T> std::optional<T> number(std::uint64_t at) const {
        if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) return std::nullopt;
        T out = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            out = static_cast<T>(static_cast<T>(out << 8) | static_cast<unsigned char>(bytes_[at + i]));
        return out;
    }
    std::optional<std::string> text(std::uint64_t at, std::uint64_t length) const {
        if (at > bytes_.size() || bytes_.size() - at < length) return std::nullopt;
        return std::string(bytes_.substr(at, length));
    }

private:
    std::string_view bytes_;
};

std::unexpected<Error> invalid(std::string_view format) {
    return fail(Code::internal, tr("the image has no valid header of the format '{0}'", format));
}

/// A name from an image: no NUL, not empty, not too long.
bool plain(const std::string& name) {
    return !name.empty() && name.size() <= longest_name && name.find('\0') == std::string::npos;
}

Result<> read_extensions(const Bytes& in, std::uint64_t at, ImageHeader& out) {
    for (;;) {
        const auto type = in.number<std::uint32_t>(at);
        const auto length = in.number<std::uint32_t>(at + 4);
        if (!type || !length) return invalid("qcow2"); // the end mark is required
        if (*type == extension_end) return {};
        const auto data = in.text(at + 8, *length);
        if (!data) return invalid("qcow2");
        if (*type == extension_backing_format || *type == extension_data_file) {
            if (!plain(*data)) return invalid("qcow2");
            (*type == extension_backing_format ? out.backing_format : out.data_file) = *data;
        }
        at += 8 + ((std::uint64_t{*length} + 7) & ~std::uint64_t{7});
    }
}

Result<ImageHeader> qcow2(std::string_view bytes) {
    const Bytes in(bytes);
    const auto version = in.number<std::uint32_t>(4);
    const auto name_at = in.number<std::uint64_t>(8);
    const auto name_length = in.number<std::uint32_t>(16);
    const auto size = in.number<std::uint64_t>(24);
    const auto crypt = in.number<std::uint32_t>(32);
    if (!version || !name_at || !name_length || !size || !crypt) return invalid("qcow2");
    ImageHeader out{.format = "qcow2", .size = *size, .encrypted = *crypt != 0};
    const auto length =
        *version >= 3 ? in.number<std::uint32_t>(100) : std::optional(std::uint32_t{v2_length});
    if (!length || *length < v2_length) return invalid("qcow2");
    // Version 2 files of old writers have no extensions: the backing name may begin right here.
    if (*version >= 3 || !*name_at || *name_at > v2_length + 8)
        if (auto read = read_extensions(in, *length, out); !read)
            return std::unexpected(std::move(read).error());
    if (*name_at != 0) {
        auto name = *name_length <= longest_name ? in.text(*name_at, *name_length) : std::nullopt;
        if (!name || !plain(*name)) return invalid("qcow2");
        out.backing = std::move(*name);
    } else {
        out.backing_format.reset();
    }
    return out;
}

} // namespace

std::string detected_format(std::string_view bytes) {
    for (const auto& mark : marks)
        if (marked(bytes, mark)) return std::string(mark.format);
    return "raw";
}

Result<ImageHeader> image_header(std::string_view bytes, std::string_view format) {
    if (format == "qcow2") {
        if (detected_format(bytes) != "qcow2") return invalid(format);
        return qcow2(bytes);
    }
    return ImageHeader{.format = std::string(format), .encrypted = format == "luks"};
}

Result<std::string> backing_path(std::string_view image, std::string_view written) {
    if (written.starts_with("file:")) written.remove_prefix(written.starts_with("file:///") ? 7 : 5);
    // A colon before the first slash is a protocol: "nbd:…", "json:{…}", "rbd:pool/image".
    const auto colon = written.find(':');
    if (colon != std::string_view::npos && colon < written.find('/'))
        return fail(
            Code::config_unsupported,
            tr("the backing file '{0}' of image '{1}' uses the protocol '{2}', which is not supported",
               written, image, written.substr(0, colon)));
    if (written.starts_with('/')) return std::string(written);
    const auto slash = image.rfind('/');
    return std::string(slash == std::string_view::npos ? "" : image.substr(0, slash + 1)) +
           std::string(written);
}

} // namespace cloister
