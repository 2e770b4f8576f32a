#include "conf/base/tr.hpp"
#include "security/kernel/process.hpp"
#include "security/kernel/run.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

namespace cloister {
namespace {

/// A folder inside the guest's mount namespace, reached through /proc/PID/root: making nodes needs no
/// setns().
struct Place {
    Fd guest{};  ///< pidfd
    Fd folder{}; ///< O_PATH
    std::string name{};
};

/// A component that is a symlink is refused: a guest with uid 0 could lead us out of its /dev.
Fd open_beneath(int root, const std::string& relative, std::uint64_t flags) {
    open_how how{.flags = flags | O_CLOEXEC,
                 .mode = 0,
                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return Fd(static_cast<int>(::syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how)));
}

std::optional<ino_t> mount_namespace(const std::string& process) {
    struct stat found{};
    if (::stat(("/proc/" + process + "/ns/mnt").c_str(), &found) < 0) return std::nullopt;
    return found.st_ino;
}

/// `pidfd` empty: the guest is gone. Errors: internal when it shares our /dev, which is never to be changed.
Result<Place> place_of(const ProcessId& guest, const std::string& path, bool make_folders) {
    Place out;
    out.guest = open_process(guest);
    if (!out.guest) return out;
    const auto pid = std::to_string(guest.pid);
    const auto theirs = mount_namespace(pid);
    if (!theirs || theirs == mount_namespace("self"))
        return fail(Code::internal, tr("process {0} has no /dev of its own", guest.pid));
    const Fd root(::open(("/proc/" + pid + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) return failed("open the root of process", pid, Layer::mountns);
    if (!path.starts_with("/dev/")) return fail(Code::internal, tr("'{0}' is not below /dev", path));

    const auto relative = path.substr(1);
    for (auto slash = relative.find('/'); slash != std::string::npos; slash = relative.find('/', slash + 1)) {
        const auto folder = relative.substr(0, slash);
        out.folder = open_beneath(root.n(), folder, O_PATH | O_DIRECTORY);
        if (out.folder || !make_folders || errno != ENOENT) continue;
        const auto [above, name] = split(folder);
        const Fd parent = open_beneath(root.n(), above, O_PATH | O_DIRECTORY);
        if (!parent || (::mkdirat(parent.n(), name.c_str(), 0755) < 0 && errno != EEXIST))
            return failed("make folder", "/" + folder, Layer::mountns);
        if (::fchmodat(parent.n(), name.c_str(), 0755, 0) < 0)
            return failed("make folder", "/" + folder, Layer::mountns);
        out.folder = open_beneath(root.n(), folder, O_PATH | O_DIRECTORY);
    }
    if (!out.folder && (make_folders || errno != ENOENT))
        return failed("open the folder of", path, Layer::mountns);
    out.name = split(path).second;
    return out;
}

Result<Place> place_to_make(const ProcessId& guest, const std::string& path) {
    auto place = TRY(place_of(guest, path, true));
    if (!place.guest) return fail(Code::operation_failed, tr("process {0} is gone", guest.pid));
    return place;
}

Result<> finish_node(const Place& place, const MakeNode& op) {
    const Fd node(::openat(place.folder.n(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!node) return failed("open", op.path, Layer::mountns);
    if (::fchownat(node.n(), "", op.owner.uid, op.owner.gid, AT_EMPTY_PATH) < 0)
        return failed("change the owner of", op.path, Layer::mountns);
    if (::chmod(fd_path(node.n()).c_str(), op.mode) < 0)
        return failed("change the mode of", op.path, Layer::mountns);
    if (!op.acl.empty() &&
        ::setxattr(fd_path(node.n()).c_str(), "system.posix_acl_access", op.acl.data(), op.acl.size(), 0) <
            0 &&
        errno != EOPNOTSUPP)
        return failed("set the ACL of", op.path, Layer::mountns);
    return {};
}

} // namespace

/// Mounting works only from inside the namespace. A thread of its own goes there and ends there.
Result<> inside(const Fd& guest, const std::function<Result<>()>& work) {
    Result<> done;
    std::thread([&] {
        if (::unshare(CLONE_FS) < 0)
            done = failed("enter", "the guest's mount namespace", Layer::mountns);
        else if (::setns(guest.n(), CLONE_NEWNS) < 0)
            done = failed("enter", "the guest's mount namespace", Layer::mountns);
        else
            done = work();
    }).join();
    return done;
}

Result<> run(const MakeNode& op) {
    const auto place = TRY(place_to_make(op.guest, op.path));
    const mode_t type = op.type == NodeType::block_device ? S_IFBLK : S_IFCHR;
    const auto device = makedev(op.major, op.minor);
    for (int tries = 0; ::mknodat(place.folder.n(), place.name.c_str(), type, device) < 0; ++tries) {
        if (errno != EEXIST || tries > 0) return failed("make node", op.path, Layer::mountns);
        struct stat found{};
        if (::fstatat(place.folder.n(), place.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            (found.st_mode & S_IFMT) == type && found.st_rdev == device)
            break;
        if (::unlinkat(place.folder.n(), place.name.c_str(), 0) < 0)
            return failed("replace", op.path, Layer::mountns);
    }
    return finish_node(place, op);
}

Result<> run(const MakeLink& op) {
    const auto place = TRY(place_to_make(op.guest, op.path));
    for (int tries = 0; ::symlinkat(op.target.c_str(), place.folder.n(), place.name.c_str()) < 0; ++tries) {
        if (errno != EEXIST || tries > 0) return failed("make link", op.path, Layer::mountns);
        if (::unlinkat(place.folder.n(), place.name.c_str(), 0) < 0)
            return failed("replace", op.path, Layer::mountns);
    }
    return {};
}

Result<> run(const BindMount& op) {
    const auto place = TRY(place_to_make(op.guest, op.path));
    const auto flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
                       static_cast<unsigned>(op.directory ? AT_RECURSIVE : 0);
    const Fd tree(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, op.source.c_str(), flags)));
    if (!tree) return failed("open", op.source, Layer::mountns);
    struct stat found{};
    if (::fstat(tree.n(), &found) < 0) return failed("look at", op.source, Layer::mountns);
    if (op.id.ino != 0 && (found.st_dev != op.id.dev || found.st_ino != op.id.ino))
        return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", op.source));
    // What the guest's side mounts on it must never come back to the host.
    mount_attr attributes{};
    attributes.propagation = MS_SLAVE;
    if (::syscall(SYS_mount_setattr, tree.n(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                  sizeof attributes) < 0)
        return failed("make a slave mount of", op.source, Layer::mountns);

    const int folder = place.folder.n();
    const char* const name = place.name.c_str();
    if (op.directory) {
        if (::mkdirat(folder, name, 0755) < 0 && errno != EEXIST)
            return failed("make folder", op.path, Layer::mountns);
    } else if (!Fd(::openat(folder, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)))
        return failed("make", op.path, Layer::mountns);
    const Fd target(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return failed("open", op.path, Layer::mountns);
    return inside(place.guest, [&]() -> Result<> {
        if (::syscall(SYS_move_mount, tree.n(), "", target.n(), "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
            return failed("mount", op.path, Layer::mountns);
        return {};
    });
}

Result<> run(const RemoveNode& op) {
    const auto place = TRY(place_of(op.guest, op.path, false));
    if (!place.guest || !place.folder) return {};
    if (op.mount) {
        const Fd target(::openat(place.folder.n(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (target) {
            auto unmounted = inside(place.guest, [&]() -> Result<> {
                const auto path = "/proc/thread-self/fd/" + std::to_string(target.n());
                if (::umount2(path.c_str(), MNT_DETACH) < 0 && errno != EINVAL)
                    return failed("unmount", op.path, Layer::mountns);
                return {};
            });
            if (!unmounted) return unmounted;
        }
    }
    if (::unlinkat(place.folder.n(), place.name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno == EISDIR && ::unlinkat(place.folder.n(), place.name.c_str(), AT_REMOVEDIR) == 0) return {};
    return failed("remove", op.path, Layer::mountns);
}

} // namespace cloister
