#include "conf/base/tr.hpp"
#include "security/kernel/mounts.hpp"
#include "security/kernel/process.hpp"
#include "security/kernel/run.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister {
namespace {

/// A process that does nothing but be in a user namespace of its own, until it is no longer needed.
class NamespaceHolder {
public:
    static Result<NamespaceHolder> make() {
        int pidfd = -1;
        const auto parent = ::getpid();
        clone_args args{};
        args.flags = CLONE_NEWUSER | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
        args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
        const auto pid = ::syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0) { // a copy of one thread of many: system calls only
            ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            while (::syscall(SYS_getppid) == parent) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
            ::syscall(SYS_exit_group, 0);
        }
        if (pid < 0) return failed("make", "a user namespace", Layer::dac);
        return NamespaceHolder(static_cast<pid_t>(pid), Fd(pidfd));
    }
    NamespaceHolder(NamespaceHolder&&) noexcept = default;
    ~NamespaceHolder() {
        if (!pidfd_) return;
        ::syscall(SYS_pidfd_send_signal, pidfd_.n(), SIGKILL, nullptr, 0);
        siginfo_t ended{};
        ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.n()), &ended, WEXITED | __WALL);
    }
    std::string folder() const { return fmt::format("/proc/{}", pid_); }

private:
    NamespaceHolder(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
    pid_t pid_;
    Fd pidfd_;
};

/// A user namespace in which `from` on the disk is `to` for who looks.
Result<Fd> mapping(Owner from, Owner to) {
    const auto holder = TRY(NamespaceHolder::make());
    const auto line = [](std::uint32_t inside, std::uint32_t outside) {
        return fmt::format("{} {} 1\n", inside, outside);
    };
    TRY(write_file(holder.folder() + "/uid_map", line(from.uid, to.uid), Layer::dac));
    TRY(write_file(holder.folder() + "/gid_map", line(from.gid, to.gid), Layer::dac));
    Fd out(::open((holder.folder() + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
    if (!out) return failed("open", "a user namespace", Layer::dac);
    return out;
}

/// "the file system 'ramfs' at '/mnt'"
std::string file_system_of(const std::string& path) {
    const auto all = mounts("self");
    if (!all) return tr("its file system");
    const Mount* at = nullptr;
    for (const auto& mount : *all) {
        const auto folder = mount.point == "/" ? mount.point : mount.point + "/";
        if ((path == mount.point || path.starts_with(folder)) &&
            (at == nullptr || mount.point.size() >= at->point.size()))
            at = &mount; // of those at one place the last one is on top
    }
    return at == nullptr ? tr("its file system") : tr("the file system '{0}' at '{1}'", at->type, at->point);
}

std::unexpected<Error> not_mappable(const std::string& path) {
    const int number = errno;
    if (number != EINVAL && number != EPERM && number != EOPNOTSUPP)
        return failed("map the owner of", path, Layer::dac);
    auto refusal =
        fail(Code::config_unsupported,
             tr("ownership = \"idmap\" cannot show '{0}' to the guest as its own: {1} has no idmapped "
                "mounts",
                path, file_system_of(path)));
    refusal.error().sys_errno = number;
    refusal.error().layer = Layer::dac;
    return refusal;
}

Result<> map_here(const MapOwner& op, const Fd& user_namespace) {
    const Fd target = open_without_links(op.path);
    if (!target) return failed("open", op.path, Layer::dac);
    struct stat found{};
    if (::fstat(target.n(), &found) < 0) return failed("look at", op.path, Layer::dac);
    if (!same_file(found, op.id))
        return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", op.path));
    if (found.st_uid != op.from.uid || found.st_gid != op.from.gid)
        return fail(Code::resource_busy, tr("the owner of '{0}' was changed by somebody else", op.path));
    const Fd tree(static_cast<int>(
        ::syscall(SYS_open_tree, target.n(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
    if (!tree) return failed("clone the mount of", op.path, Layer::dac);
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID;
    attributes.userns_fd = static_cast<__u64>(static_cast<unsigned>(user_namespace.n()));
    attributes.propagation = MS_PRIVATE;
    if (::syscall(SYS_mount_setattr, tree.n(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        return not_mappable(op.path);
    if (::syscall(SYS_move_mount, tree.n(), "", target.n(), "",
                  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return failed("mount", op.path, Layer::dac);
    return {};
}

bool own_namespace(const ProcessId& guest) {
    struct stat theirs{}, ours{};
    return ::stat(fmt::format("/proc/{}/ns/mnt", guest.pid).c_str(), &theirs) == 0 &&
           ::stat("/proc/self/ns/mnt", &ours) == 0 && theirs.st_ino != ours.st_ino;
}

} // namespace

Result<> run(const MapOwner& op) {
    const auto guest = open_process(op.guest);
    if (!guest) return fail(Code::operation_failed, tr("process {0} is gone", op.guest.pid));
    if (!own_namespace(op.guest))
        return fail(Code::internal, tr("process {0} has no mount namespace of its own", op.guest.pid));
    const auto user_namespace = TRY(mapping(op.from, op.to));
    return inside(guest, [&] { return map_here(op, user_namespace); });
}

Result<> run(const UnmapOwner& op) {
    const auto guest = open_process(op.guest);
    if (!guest || !own_namespace(op.guest)) return {};
    return inside(guest, [&]() -> Result<> {
        const Fd target = open_without_links(op.path);
        // EINVAL: nothing is mounted there, so this was done before.
        if (target && ::umount2(fd_path(target.n()).c_str(), MNT_DETACH) < 0 && errno != EINVAL)
            return failed("unmount", op.path, Layer::dac);
        return {};
    });
}

} // namespace cloister
