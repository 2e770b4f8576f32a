#include "conf/base/tr.hpp"
#include "driver/facts/image_header.hpp"
#include "driver/probe/host_probe.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace cloister {

namespace {

constexpr std::size_t deepest_chain = 200;

struct Opened {
    int fd = -1;
    std::pair<dev_t, ino_t> id{};
    Opened() = default;
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() {
        if (fd >= 0) ::close(fd);
    }
};

Error storage(int error, const std::string& path) {
    auto out = system_error(error, tr("Cannot access storage file '{0}'", path));
    out.domain = ErrorDomain::storage;
    return out;
}

/// Symlinks on the way are followed once, here; what they led to is opened as exactly that file.
Result<> open_image(const std::string& path, Opened& out) {
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
    if (!real) return std::unexpected(storage(errno, path));
    out.fd = ::open(real.get(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat file{};
    if (out.fd < 0 || ::fstat(out.fd, &file) < 0) return std::unexpected(storage(errno, path));
    out.id = {file.st_dev, file.st_ino};
    if (S_ISREG(file.st_mode) || S_ISBLK(file.st_mode)) return {};
    return fail(Code::config_unsupported, tr("'{0}' is neither a file nor a block device", path));
}

/// The one place where the bytes of an image, which a guest may have written, come into the daemon: the
/// reading and image_header() are what a sandboxed child would do instead.
Result<ImageHeader> read_header(const Opened& image, const std::string& path, std::string& format) {
    std::string bytes(image_header_bytes, '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
        const auto n = ::pread(image.fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::unexpected(storage(errno, path));
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    bytes.resize(have);
    if (format.empty()) {
        // A backing file without a recorded format: only what looks like nothing may be taken for raw.
        format = detected_format(bytes);
        if (format != "raw") return ImageHeader{};
    }
    auto header = image_header(bytes, format);
    if (!header)
        return std::unexpected(std::move(header).error().during(tr("reading the image '{0}'", path)));
    return header;
}

} // namespace

Result<std::vector<ImageLayer>> backing_chain(const std::string& top, const std::string& top_format) {
    std::vector<ImageLayer> out;
    std::set<std::pair<dev_t, ino_t>> seen;
    std::string path = top, above, format = top_format;
    for (;;) {
        Opened image;
        if (auto opened = open_image(path, image); !opened) return std::unexpected(std::move(opened).error());
        if (!seen.insert(image.id).second)
            return fail(Code::operation_invalid, tr("backing store for '{0}' is self-referential", top));
        const bool unrecorded = format.empty();
        const auto header = TRY(read_header(image, path, format));
        if (unrecorded && format != "raw")
            return fail(Code::operation_invalid,
                        tr("format of backing image '{0}' of image '{1}' was not specified in the image "
                           "metadata (See "
                           "https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
                           path, above));
        if (!out.empty()) out.back().format = format;
        if (header.data_file)
            return fail(Code::config_unsupported,
                        tr("image '{0}' keeps its data in another file, '{1}', which is not supported", path,
                           *header.data_file));
        if (!header.backing) return out;
        if (out.size() >= deepest_chain)
            return fail(Code::operation_invalid,
                        tr("the backing chain of '{0}' has more than {1} images", top, deepest_chain));
        above = path;
        path = TRY(backing_path(path, *header.backing));
        format = header.backing_format.value_or("");
        if (format == "file" || format == "host_device") format = "raw";
        out.push_back({.path = path, .format = format});
    }
}

} // namespace cloister
