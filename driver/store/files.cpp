#include "driver/store/files.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister::store {

namespace {

/// A descriptor of this file's own calls.
class File {
public:
    explicit File(int n) : n_(n) {}
    File(File&& other) noexcept : n_(std::exchange(other.n_, -1)) {}
    ~File() {
        if (n_ >= 0) ::close(n_);
    }
    int n() const { return n_; }
    explicit operator bool() const { return n_ >= 0; }

private:
    int n_;
};

std::unexpected<Error> failed(std::string message) {
    return std::unexpected(system_error(errno, std::move(message)));
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

enum class Durable { no, yes };

Result<> replace(const std::string& path, std::string_view content, mode_t mode, Durable durable) {
    const auto beside = path + ".new";
    // A left-over of a crash is ours to replace, but never to follow or to share.
    ::unlink(beside.c_str());
    const File file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file) return failed(tr("cannot create '{0}'", beside));
    const bool written = ::fchmod(file.n(), mode) == 0 && write_all(file.n(), content) &&
                         (durable == Durable::no || ::fsync(file.n()) == 0);
    if (!written || ::rename(beside.c_str(), path.c_str()) < 0) {
        auto refusal = failed(tr("cannot write '{0}'", path));
        ::unlink(beside.c_str());
        return refusal;
    }
    return durable == Durable::yes ? sync_folder(folder_of(path)) : Result<>{};
}

} // namespace

Result<> sync_folder(const std::string& folder) {
    const File dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!dir || ::fsync(dir.n()) < 0) return failed(tr("cannot sync the folder '{0}'", folder));
    return {};
}

Result<> write_file(const std::string& path, std::string_view content, mode_t mode) {
    return replace(path, content, mode, Durable::yes);
}

Result<> write_volatile(const std::string& path, std::string_view content, mode_t mode) {
    return replace(path, content, mode, Durable::no);
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat is{};
    if (!file || ::fstat(file.n(), &is) < 0) return failed(tr("cannot read '{0}'", path));
    if (!S_ISREG(is.st_mode)) return fail(Code::system, tr("'{0}' is not a regular file", path));
    std::string out;
    char piece[65536];
    for (;;) {
        const auto n = ::read(file.n(), piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(tr("cannot read '{0}'", path));
        if (n == 0) return out;
        out.append(piece, static_cast<std::size_t>(n));
        if (out.size() > most) return fail(Code::system, tr("'{0}' is larger than {1} bytes", path, most));
    }
}

Result<> append_file(const std::string& path, std::string_view text) {
    const File file{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file || !write_all(file.n(), text)) return failed(tr("cannot write '{0}'", path));
    return {};
}

std::string tail(const std::string& path, std::size_t from, std::size_t most) {
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat is{};
    if (!file || ::fstat(file.n(), &is) < 0 || !S_ISREG(is.st_mode)) return {};
    const auto size = static_cast<std::size_t>(is.st_size);
    if (size == from) return {};
    if (size < from) from = 0; // begun afresh meanwhile
    const auto start = std::max(from, size > most ? size - most : 0);
    std::string out(size - start, '\0');
    const auto n = ::pread(file.n(), out.data(), out.size(), static_cast<off_t>(start));
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (start > from)
        if (const auto line = out.find('\n'); line != std::string::npos) out.erase(0, line + 1);
    return out;
}

std::size_t size_of(const std::string& path) {
    struct stat is{};
    return ::stat(path.c_str(), &is) == 0 ? static_cast<std::size_t>(is.st_size) : 0;
}

Result<> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) < 0 && errno != ENOENT) return failed(tr("cannot remove '{0}'", path));
    return {};
}

Result<> make_folder(const std::string& path, mode_t mode) {
    for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
        const bool last = at == std::string::npos;
        const auto part = path.substr(0, at);
        const mode_t wanted = last ? mode : 0755;
        // chmod, because the daemon's umask is 077 and guests' users pass through some of these.
        const bool made = ::mkdir(part.c_str(), wanted) == 0;
        if ((!made && errno != EEXIST) || (made && ::chmod(part.c_str(), wanted) < 0))
            return failed(tr("cannot make the folder '{0}'", part));
        if (last) return {};
    }
}

std::vector<std::string> names_in(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(folder.c_str()), ::closedir};
    std::vector<std::string> out;
    if (!dir) return out;
    while (const auto* entry = ::readdir(dir.get())) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") out.push_back(name);
    }
    std::sort(out.begin(), out.end());
    return out;
}

bool exists(const std::string& path) {
    struct stat is{};
    return ::lstat(path.c_str(), &is) == 0;
}

} // namespace cloister::store
