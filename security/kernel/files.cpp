#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/selinux.hpp"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cloister {
namespace {

constexpr int deepest = 64; // a guest may nest folders in its own; each level holds a descriptor

Result<> give(int fd, const std::string& path, Owner owner, std::uint32_t mode) {
    if (::fchown(fd, owner.uid, owner.gid) < 0) return failed("change the owner of", path, Layer::dac);
    // after the owner: chown clears setuid bits, and nobody else may get in before it
    if (::fchmod(fd, mode) < 0) return failed("change the mode of", path, Layer::dac);
    return {};
}

Result<> remove_content(Fd folder, const std::string& path, int depth) {
    if (depth > deepest) return fail(Code::system, tr("'{0}' is nested too deeply to be removed", path));
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(folder.n()), &::closedir);
    if (!listing) return failed("list", path, Layer::none);
    const int at = folder.release(); // the listing's now
    while (const auto* entry = ::readdir(listing.get())) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (::unlinkat(at, name.c_str(), 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM) return failed("remove", path + "/" + name, Layer::none);
        // Never through a symlink that the guest put there, never into something that is mounted.
        open_how how{.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                     .mode = 0,
                     .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH};
        Fd below(static_cast<int>(::syscall(SYS_openat2, at, name.c_str(), &how, sizeof how)));
        if (!below) return failed("open", path + "/" + name, Layer::none);
        if (auto done = remove_content(std::move(below), path + "/" + name, depth + 1); !done) return done;
        if (::unlinkat(at, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT)
            return failed("remove", path + "/" + name, Layer::none);
    }
    return {};
}

Result<> copy_into(int to, const std::string& from) {
    const Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!source) return failed("open", from, Layer::none);
    for (;;) {
        const auto sent = ::sendfile(to, source.n(), nullptr, std::size_t{1} << 30);
        if (sent < 0) return failed("copy", from, Layer::none);
        if (sent == 0) return {};
    }
}

Result<> write_all(int to, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const auto written = ::write(to, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed("write", path, Layer::none);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace

bool same_file(const struct stat& found, const FileId& id) {
    return (id.ino == 0 || found.st_ino == id.ino) && (id.dev == 0 || found.st_dev == id.dev);
}

bool owners_are_fixed(int number) {
    return number == EROFS || number == EOPNOTSUPP || number == EINVAL || number == EPERM;
}

Fd open_without_links(const std::string& path) {
    open_how how{.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                 .mode = 0,
                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    return Fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

std::string unfinished(const std::string& path) {
    const auto [folder, name] = split(path);
    return folder + "/." + name + ".new";
}

Result<> make_parents(const std::string& path, std::uint32_t mode) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const auto folder = path.substr(0, slash);
        if (::access(folder.c_str(), F_OK) == 0) continue;
        if (::mkdir(folder.c_str(), 0700) < 0) {
            if (errno == EEXIST) continue; // another guest's start was first
            return failed("make folder", folder, Layer::none);
        }
        if (::chmod(folder.c_str(), mode) < 0) return failed("change the mode of", folder, Layer::none);
    }
    return {};
}

Result<> run(const MakeDirectory& op) {
    if (auto made = make_parents(op.path); !made) return made;
    const bool fresh = ::mkdir(op.path.c_str(), 0700) == 0;
    if (!fresh && errno != EEXIST) return failed("make folder", op.path, Layer::none);
    if (!fresh && op.shared) return {};
    const Fd folder(::open(op.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) return failed("open", op.path, Layer::none);
    if (!op.label.empty()) TRY(set_label(folder, op.path, op.label));
    return give(folder.n(), op.path, op.owner, op.mode);
}

Result<> run(const RemoveDirectory& op) {
    if (op.only_empty) {
        if (::rmdir(op.path.c_str()) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY)
            return failed("remove", op.path, Layer::none);
        return {};
    }
    Fd folder(::open(op.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) {
        if (errno == ENOENT || errno == ENOTDIR) return {};
        return failed("open", op.path, Layer::none);
    }
    if (auto emptied = remove_content(std::move(folder), op.path, 0); !emptied) return emptied;
    if (::rmdir(op.path.c_str()) < 0 && errno != ENOENT) return failed("remove", op.path, Layer::none);
    return {};
}

Result<> run(const MakeFile& op) {
    const auto [folder_name, name] = split(op.path);
    if (auto made = make_parents(op.path); !made) return made;
    const Fd folder(::open(folder_name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) return failed("open", folder_name, Layer::none);
    struct stat there{};
    if (op.keep && ::fstatat(folder.n(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) return {};

    const auto fresh = split(unfinished(op.path)).second;
    (void)::unlinkat(folder.n(), fresh.c_str(),
                     0); // of an earlier, interrupted start; when it is not there, fine
    const Fd file(
        ::openat(folder.n(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failed("make", op.path, Layer::none);
    const auto fill = [&]() -> Result<> {
        auto filled =
            op.copy_of ? copy_into(file.n(), *op.copy_of) : write_all(file.n(), op.content, op.path);
        if (!filled) return filled;
        if (!op.label.empty()) TRY(set_label(file, op.path, op.label));
        if (auto given = give(file.n(), op.path, op.owner, op.mode); !given) return given;
        if (op.keep && ::fsync(file.n()) < 0) return failed("write", op.path, Layer::none);
        if (::renameat(folder.n(), fresh.c_str(), folder.n(), name.c_str()) < 0)
            return failed("rename to", op.path, Layer::none);
        return {};
    };
    auto filled = fill();
    if (!filled) (void)::unlinkat(folder.n(), fresh.c_str(), 0); // the error before it is the one to tell
    return filled;
}

Result<> run(const RemoveFile& op) {
    if (::unlink(op.path.c_str()) < 0 && errno != ENOENT && errno != ENOTDIR)
        return failed("remove", op.path, Layer::none);
    return {};
}

/// Works on the opened file, never on the name twice: a name can be given to another file in between.
Result<> run(const Chown& op) {
    const Fd file(::open(op.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return failed("open", op.path, Layer::dac);
    struct stat found{};
    if (::fstat(file.n(), &found) < 0) return failed("look at", op.path, Layer::dac);
    if (!same_file(found, op.id))
        return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", op.path));
    if (found.st_uid == op.owner.uid && found.st_gid == op.owner.gid) return {};
    if (found.st_uid != op.was.uid || found.st_gid != op.was.gid)
        return fail(Code::resource_busy, tr("the owner of '{0}' was changed by somebody else", op.path));
    if (::fchownat(file.n(), "", op.owner.uid, op.owner.gid, AT_EMPTY_PATH) < 0 && !owners_are_fixed(errno))
        return failed("change the owner of", op.path, Layer::dac);
    return {};
}

Result<> run(const SetMode& op) {
    const Fd file(::open(op.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return failed("open", op.path, Layer::dac);
    struct stat found{};
    if (::fstat(file.n(), &found) < 0) return failed("look at", op.path, Layer::dac);
    if (!same_file(found, op.id))
        return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", op.path));
    if ((found.st_mode & 07777) == op.mode) return {};
    if ((found.st_mode & 07777) != op.was)
        return fail(Code::resource_busy, tr("the mode of '{0}' was changed by somebody else", op.path));
    if (::chmod(fd_path(file.n()).c_str(), op.mode) < 0)
        return failed("change the mode of", op.path, Layer::dac);
    return {};
}

} // namespace cloister
