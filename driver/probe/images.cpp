#include "driver/probe/images.hpp"

#include "conf/base/tr.hpp"
#include "driver/facts/backing_path.hpp"
#include "security/bounds.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <linux/openat2.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace cloister {

namespace {

constexpr std::size_t deepest_chain = 200;

using FileNumber = std::pair<dev_t, ino_t>;

/// An image that was found, and not opened yet: opening alone does something to many a device.
struct Found {
    Fd place{};         ///< O_PATH
    std::string real{}; ///< where it is, without symlinks
    FileNumber id{};
};

Error storage(int error, const std::string& path) {
    auto out = system_error(error, tr("Cannot access storage file '{0}'", path));
    out.domain = ErrorDomain::storage;
    return out;
}

std::string own_name(const Fd& file) { return "/proc/self/fd/" + std::to_string(file.n()); }

/// Symlinks on the way are followed once, here. Those of /proc that lead into this very process are not: an
/// image could name them.
Result<Found> found(const std::string& path) {
    Found out;
    open_how how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_MAGICLINKS};
    out.place = Fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
    struct stat file{};
    if (!out.place || ::fstat(out.place.n(), &file) < 0) return std::unexpected(storage(errno, path));
    if (!S_ISREG(file.st_mode) && !S_ISBLK(file.st_mode))
        return fail(Code::config_unsupported, tr("'{0}' is neither a file nor a block device", path));
    out.id = {file.st_dev, file.st_ino};
    char real[PATH_MAX];
    const auto length = ::readlink(own_name(out.place).c_str(), real, sizeof real);
    if (length < 0 || length == sizeof real) return std::unexpected(storage(ENAMETOOLONG, path));
    out.real.assign(real, static_cast<std::size_t>(length));
    return out;
}

/// Opens exactly the file that was found, and hands it to the child.
Result<ImageHeader> read_header(ImageReader& reader, const Found& image, const std::string& path,
                                const std::string& format) {
    const Fd file(::open(own_name(image.place).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) return std::unexpected(storage(errno, path));
    return reader.read(file.n(), format, path);
}

/// Of what can stand on nothing, nothing is read: a disk that is declared raw may hold any header.
bool names_other_files(std::string_view format) {
    return format == "qcow2" || format == "qcow" || format == "qed" || format == "vmdk";
}

/// The header of an image that has all its data in itself. The guest would write to an external data file,
/// wherever the image says that it is.
Result<ImageHeader> checked_header(ImageReader& reader, const Found& image, const std::string& path,
                                   const std::string& format) {
    auto header = TRY(read_header(reader, image, path, format));
    if (!header.data_file) return header;
    return fail(Code::config_unsupported,
                tr("image '{0}' keeps its data in another file, '{1}', which is not supported", path,
                   *header.data_file));
}

/// Folders by their real paths. One that is not there allows nothing.
std::vector<std::string> resolved(const std::vector<std::string>& folders) {
    std::vector<std::string> out;
    for (const auto& folder : folders) {
        const std::unique_ptr<char, void (*)(void*)> real(::realpath(folder.c_str(), nullptr), std::free);
        if (real) out.emplace_back(real.get());
    }
    return out;
}

/// One walk down a chain.
class Walk {
public:
    Walk(ImageReader& reader, const ImageFolders& allowed)
        : reader_(reader), restricted_(!allowed.chain.empty()), folders_(resolved(allowed.chain)) {
        if (allowed.all) bounds_ = resolved(*allowed.all);
    }

    Result<std::vector<ImageLayer>> down(const std::string& top, const std::string& top_format) {
        std::string path = top, format = top_format;
        for (std::string above;;) {
            std::error_code nowhere;
            TRY(bounded(std::filesystem::weakly_canonical(path, nowhere).string(), path));
            const auto image = TRY(found(path));
            TRY(bounded(image.real, path)); // a link may have been another one a moment ago
            if (!seen_.insert(image.id).second)
                return fail(Code::operation_invalid, tr("backing store for '{0}' is self-referential", top));
            if (!above.empty()) {
                TRY(allowed(image, path, above));
                if (format.empty()) format = TRY(unrecorded(image, path, above));
                if (restricted_ || bounds_) path = image.real;
                out_.push_back({.path = path, .format = format});
            }
            if (!names_other_files(format)) return std::move(out_);
            const auto header = TRY(checked_header(reader_, image, path, format));
            if (!header.backing) return std::move(out_);
            if (out_.size() >= deepest_chain)
                return fail(Code::operation_invalid,
                            tr("the backing chain of '{0}' has more than {1} images", top, deepest_chain));
            above = path;
            path = TRY(backing_path(above, *header.backing));
            format = TRY(recorded(header, above));
        }
    }

private:
    /// `real` is where `path` leads: told of it is only that it is outside.
    Result<> bounded(const std::string& real, const std::string& path) {
        if (!bounds_ || within(real, *bounds_)) return {};
        return fail(Code::access_denied,
                    tr("'{0}' is not within what clients other than root may name (allowed_paths)", path));
    }

    Result<> allowed(const Found& image, const std::string& path, const std::string& above) {
        if (!restricted_ || is_below(image.real, folders_)) return {};
        return fail(Code::operation_denied,
                    tr("the file '{0}' that image '{1}' names is in no folder of 'backing_chain_paths' in "
                       "qemu.conf",
                       path, above));
    }

    /// The format of a backing file as the image above records it; "": it does not.
    Result<std::string> recorded(const ImageHeader& header, const std::string& above) {
        auto out = header.backing_format.value_or("");
        if (out == "file" || out == "host_device") return std::string("raw");
        if (out.empty() || is_image_format(out)) return out;
        return fail(
            Code::config_unsupported,
            tr("image '{0}' says that its backing file '{1}' has the format '{2}', which is not known", above,
               *header.backing, out));
    }

    /// Only what looks like nothing may be taken for raw: otherwise a guest with a raw disk could make it
    /// stand on any file of the host.
    Result<std::string> unrecorded(const Found& image, const std::string& path, const std::string& above) {
        auto header = TRY(read_header(reader_, image, path, ""));
        if (header.format == "raw") return std::move(header.format);
        return fail(Code::operation_invalid,
                    tr("format of backing image '{0}' of image '{1}' was not specified in the image "
                       "metadata (See "
                       "https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
                       path, above));
    }

    ImageReader& reader_;
    bool restricted_;
    std::vector<std::string> folders_;
    std::optional<std::vector<std::string>> bounds_{};
    std::set<FileNumber> seen_{};
    std::vector<ImageLayer> out_{};
};

} // namespace

Result<std::vector<ImageLayer>> backing_chain(ImageReader& reader, const ImageFolders& allowed,
                                              const std::string& path, const std::string& format) {
    return Walk(reader, allowed).down(path, format);
}

Result<> check_image(ImageReader& reader, const std::string& path, const std::string& format) {
    if (!names_other_files(format)) return {};
    TRY(checked_header(reader, TRY(found(path)), path, format));
    return {};
}

Result<std::uint64_t> image_size(ImageReader& reader, const std::string& path, const std::string& format) {
    // What planning will refuse is nothing to be opened.
    if (format == "raw" || !is_image_format(format)) return 0;
    const auto image = TRY(found(path));
    return TRY(read_header(reader, image, path, format)).size;
}

} // namespace cloister
