#include "security/image/sandbox.hpp"

#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cloister {

namespace {

/// "nobody": owns nothing, by the kernel's own convention.
constexpr uid_t nobody = 65534;
constexpr gid_t nogroup = 65534;

/// The number of the step tells the daemon's log where it ended: there is nobody to explain it to yet.
void must(bool done, int step) {
    if (!done) ::_exit(step);
}

/// An empty folder that nothing can be written to or executed from, in place of the host's files.
void empty_root() {
    must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, 10);
    const int context = static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
    must(context >= 0, 11);
    must(::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "4k", 0) == 0 &&
             ::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "555", 0) == 0 &&
             ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0,
         12);
    const int root = static_cast<int>(
        ::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    must(root >= 0, 13);
    must(::syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0, 14);
    must(::fchdir(root) == 0, 15);
    // The old root ends up on top of the new one, and goes. Where the root cannot be moved (an initial RAM
    // disk), the new one covers it, and the filter keeps every path out of reach.
    if (::syscall(SYS_pivot_root, ".", ".") == 0)
        must(::umount2(".", MNT_DETACH) == 0, 16);
    else
        must(::chroot(".") == 0, 17);
    must(::chdir("/") == 0, 18);
    ::close(root);
    ::close(context);
}

void become_nobody() {
    must(::setgroups(0, nullptr) == 0, 20);
    must(::setresgid(nogroup, nogroup, nogroup) == 0, 21);
    must(::setresuid(nobody, nobody, nobody) == 0, 22);
}

void empty_bounding_set() {
    for (unsigned cap = 0; cap < 64; ++cap)
        if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) break; // past the last one
}

void drop_capabilities() {
    empty_bounding_set(); // a new user namespace begins with a full one
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2]{};
    must(::syscall(SYS_capset, &header, none) == 0, 30);
    must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, 31);
    must(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, 32);
}

void set_limits() {
    constexpr rlim_t mib = 1 << 20;
    const auto limit = [](__rlimit_resource what, rlim_t value) {
        const rlimit both{value, value};
        must(::setrlimit(what, &both) == 0, 40);
    };
    limit(RLIMIT_AS, 32 * mib);
    limit(RLIMIT_CPU, 5); // for a chain of 200; the daemon's patience is shorter
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_NOFILE, image_socket + 2); // the socket and one image
}

void load_filter(std::string_view filter) {
    alignas(sock_filter) char bytes[4096];
    must(filter.size() <= sizeof bytes && filter.size() % sizeof(sock_filter) == 0, 50);
    std::memcpy(bytes, filter.data(), filter.size());
    const sock_fprog program{static_cast<unsigned short>(filter.size() / sizeof(sock_filter)),
                             reinterpret_cast<sock_filter*>(bytes)};
    must(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, 51);
}

} // namespace

void enter_image_sandbox(std::string_view filter) {
    const bool root = ::geteuid() == 0;
    // A session daemon has namespaces only inside of a user namespace.
    constexpr int others = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (!root) must(::unshare(CLONE_NEWUSER | others) == 0, 1);
    empty_root();
    if (root) {
        empty_bounding_set();
        become_nobody();
        // Even less than nobody: ids that mean nothing outside. A kernel may have it switched off for
        // those who are not root, and then nobody has to do.
        (void)::unshare(CLONE_NEWUSER);
    }
    drop_capabilities();
    set_limits();
    if (!filter.empty()) load_filter(filter);
}

} // namespace cloister
