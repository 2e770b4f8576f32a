/// cloister-confine: becomes QEMU, confined. Single-threaded and linear: main() is the list of the steps.
/// Started by the daemon as root with two arguments: the numbers of the socket to the daemon and of the
/// memory file that holds the script. Every step either succeeds or ends the process: there is no QEMU half
/// confined.
/// With a third argument it becomes nothing: it enters the mount namespace of a guest that died, takes that
/// guest's ids and capabilities, and tells what the script's paths are for such a process.
#include "conf/base/result.hpp"
#include "security/handshake.hpp"
#include "security/script.hpp"
#include "security/tried.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace {

using cloister::Layer;
using cloister::Script;
namespace handshake = cloister::handshake;

int control = -1;

[[noreturn]] void refuse(Layer layer, const char* doing) {
    handshake::Refusal out{.layer = static_cast<std::uint8_t>(layer), .number = errno};
    std::strncpy(out.doing.data(), doing, out.doing.size() - 1);
    (void)::send(control, &out, sizeof out, MSG_NOSIGNAL); // nobody left to tell when it fails
    ::_exit(1);
}
void must(bool done, Layer layer, const char* doing) {
    if (!done) refuse(layer, doing);
}

/// End of file means that the daemon died, or gave this launch up: then nothing happens at all.
void wait_for(char word) {
    char got = 0;
    ssize_t size = 0;
    do size = ::recv(control, &got, 1, 0);
    while (size < 0 && errno == EINTR);
    if (size != 1 || got != word) ::_exit(0);
}

Script read_script(int file) {
    struct stat found{};
    must(::fstat(file, &found) == 0, Layer::none, "look at the script");
    const auto size = static_cast<std::size_t>(found.st_size);
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    must(bytes != MAP_FAILED, Layer::none, "read the script");
    auto script = cloister::decode_script({static_cast<const char*>(bytes), size});
    errno = EINVAL;
    must(script.has_value(), Layer::none, "understand the script");
    ::munmap(bytes, size);
    ::close(file);
    return std::move(*script);
}

void set_limits(const Script& script) {
    for (const auto& limit : script.limits) {
        const rlimit value{limit.value, limit.value};
        must(::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) == 0, Layer::limits,
             "set a limit");
    }
}

// ---- the mount namespace
// -----------------------------------------------------------------------------------

int clone_mount(const char* path) {
    return static_cast<int>(
        ::syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
}
bool attach(int mount, int folder, const char* name) {
    return ::syscall(SYS_move_mount, mount, "", folder, name, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

/// An empty /dev: nothing on it can be executed, and it has room for nodes only.
int new_dev(const Script& script) {
    const int context = static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
    must(context >= 0, Layer::mountns, "open a tmpfs");
    const auto set = [&](const char* key, const char* value) {
        must(::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0) == 0, Layer::mountns,
             "configure a tmpfs");
    };
    set("source", "devfs");
    set("mode", "755");
    set("size", "64k");
    if (!script.selinux_dev.empty()) {
        const auto* const label = script.selinux_dev.c_str();
        must(::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "context", label, 0) == 0, Layer::selinux,
             "label the private /dev");
    }
    must(::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0, Layer::mountns,
         "make a tmpfs");
    const int mount = static_cast<int>(
        ::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    must(mount >= 0, Layer::mountns, "mount a tmpfs");
    ::close(context);
    return mount;
}

/// "/dev/a/b" -> folders and a mount point of the same kind as what will be mounted there.
void make_mount_point(int dev, std::string name, int mount) {
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
        must(::mkdirat(dev, name.substr(0, slash).c_str(), 0755) == 0 || errno == EEXIST, Layer::mountns,
             "make a folder in the private /dev");
    struct stat found{};
    must(::fstat(mount, &found) == 0, Layer::mountns, "look at a mount of /dev");
    if (S_ISDIR(found.st_mode)) {
        must(::mkdirat(dev, name.c_str(), 0755) == 0 || errno == EEXIST, Layer::mountns,
             "make a mount point");
        return;
    }
    const int file = ::openat(dev, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    must(file >= 0, Layer::mountns, "make a mount point");
    ::close(file);
}

void own_mount_namespace(const Script& script) {
    must(::unshare(CLONE_NEWNS) == 0, Layer::mountns, "make a mount namespace");
    // What the host mounts later arrives here; nothing that is mounted here gets out.
    must(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0, Layer::mountns,
         "make all mounts slaves");

    // Copies of the host's mounts below /dev. Copies, not moves: of mounts that are stacked on one point only
    // the topmost is there to be seen, and a move could not take what lies below.
    std::vector<int> kept;
    for (const auto& path : script.dev_submounts) {
        kept.push_back(clone_mount(path.c_str()));
        must(kept.back() >= 0 || errno == ENOENT, Layer::mountns,
             "keep a mount of /dev"); // gone meanwhile is fine
    }
    const int dev = new_dev(script);
    // The host's /dev goes, however many are stacked there: otherwise it would be one umount away.
    for (int stacked = 0; stacked < 64 && ::umount2("/dev", MNT_DETACH) == 0; ++stacked) {
    }
    must(attach(dev, AT_FDCWD, "/dev"), Layer::mountns, "mount the private /dev");
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] < 0) continue;
        const auto name = script.dev_submounts[i].substr(std::strlen("/dev/"));
        make_mount_point(dev, name, kept[i]);
        must(attach(kept[i], dev, name.c_str()), Layer::mountns, "mount into the private /dev");
        ::close(kept[i]);
    }
    ::close(dev);
}

// ---- who it is
// ---------------------------------------------------------------------------------------------

void drop_bounding_set(const Script& script) {
    if (::geteuid() != 0 && script.no_new_privs)
        return; // a session daemon may not, and nothing can be gained
    for (unsigned cap = 0; cap <= script.last_capability; ++cap)
        if (((script.kept_capabilities >> cap) & 1) == 0)
            must(::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0, Layer::caps,
                 "empty the capability bounding set");
}

void change_ids(const Script& script) {
    // A session daemon is its user already, and may change nothing.
    if (::geteuid() != 0 && ::geteuid() == script.uid && ::getegid() == script.gid) return;
    // Without this the setuid would take the capabilities that are to be kept.
    if (script.kept_capabilities != 0)
        must(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, Layer::caps, "keep capabilities");
    must(::setgroups(script.groups.size(), script.groups.data()) == 0, Layer::dac,
         "set the supplementary groups");
    must(::setresgid(script.gid, script.gid, script.gid) == 0, Layer::dac, "change the group");
    must(::setresuid(script.uid, script.uid, script.uid) == 0, Layer::dac, "change the user");
}

void set_capabilities(const Script& script) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    for (unsigned i = 0; i < 2; ++i) {
        const auto half = static_cast<__u32>(script.kept_capabilities >> (32 * i));
        data[i] = {half, half, half};
    }
    must(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, Layer::caps,
         "clear ambient capabilities");
    must(::syscall(SYS_capset, &header, data) == 0, Layer::caps, "set capabilities");
    for (unsigned cap = 0; cap <= script.last_capability;
         ++cap) // a program without file capabilities keeps only these
        if (((script.kept_capabilities >> cap) & 1) != 0)
            must(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) == 0, Layer::caps,
                 "keep a capability over exec");
}

// ---- what it may do
// ----------------------------------------------------------------------------------------

/// linux/landlock.h as of ABI 6; Debian 12's header is older. An older kernel takes a larger struct of zeros.
struct Ruleset {
    std::uint64_t handled_fs, handled_net, scoped;
};

void enter_landlock_domain(const Script& script) {
    const Ruleset ruleset{script.landlock_fs, 0, script.landlock_scoped};
    const int rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0));
    must(rules >= 0, Layer::landlock, "make a Landlock ruleset");
    if (script.landlock_allow != 0) {
        const int root = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        landlock_path_beneath_attr everywhere{};
        everywhere.allowed_access = script.landlock_allow;
        everywhere.parent_fd = root;
        must(::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &everywhere, 0) == 0,
             Layer::landlock, "add a Landlock rule");
        ::close(root);
    }
    must(::syscall(SYS_landlock_restrict_self, rules, 0) == 0, Layer::landlock, "enter a Landlock domain");
    ::close(rules);
}

/// The kernel shows a domain to nobody, so it is tried: what it forbids must be refused, and by it. Landlock
/// speaks before SELinux and the device list (EPERM) do, and a tmpfs or devtmpfs has nothing else against
/// root. A node with a real number: Linux 6.1 lets a domain make 0:0, which is a whiteout.
void try_landlock_domain(const Script& script) {
    if ((script.landlock_fs & LANDLOCK_ACCESS_FS_MAKE_CHAR) != 0) {
        const char* const node = "/dev/.cloister-domain";
        const bool made = ::mknod(node, S_IFCHR | 0600, makedev(1, 3)) == 0;
        const bool refused = !made && (errno == EACCES || errno == EROFS);
        if (made) {
            ::unlink(node);
            errno = ENOSYS;
        }
        must(refused, Layer::landlock, "prove the Landlock domain");
    }
    constexpr std::uint64_t signals = 2; // LANDLOCK_SCOPE_SIGNAL, of ABI 6
    if ((script.landlock_scoped & signals) != 0 && ::getppid() > 0)
        must(::kill(::getppid(), 0) < 0 && errno == EPERM, Layer::landlock,
             "prove that the Landlock domain keeps signals inside");
}

void load_filter(const Script& script) {
    std::vector<sock_filter> filter(script.seccomp.size() / sizeof(sock_filter));
    std::memcpy(filter.data(), script.seccomp.data(), filter.size() * sizeof(sock_filter));
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    must(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, Layer::seccomp,
         "load the syscall filter");
}

void set_exec_context(const Script& script) {
    const int file = ::open("/proc/thread-self/attr/exec", O_WRONLY | O_CLOEXEC);
    must(file >= 0, Layer::selinux, "open the exec context");
    const auto size = script.selinux_exec.size();
    must(::write(file, script.selinux_exec.data(), size) == static_cast<ssize_t>(size), Layer::selinux,
         "set the context that QEMU gets");
    ::close(file);
}

void set_exec_profile(const Script& script) {
    const auto word = "exec " + script.apparmor_exec;
    // Kernels before 5.8 have only the place that all modules share.
    int file = ::open("/proc/thread-self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
    if (file < 0) file = ::open("/proc/thread-self/attr/exec", O_WRONLY | O_CLOEXEC);
    must(file >= 0, Layer::apparmor, "open the profile for exec");
    must(::write(file, word.data(), word.size()) == static_cast<ssize_t>(word.size()), Layer::apparmor,
         "set the profile that QEMU gets");
    ::close(file);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (auto& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

int look_around(const Script& script, int mount_namespace) {
    if (mount_namespace >= 0)
        must(::setns(mount_namespace, CLONE_NEWNS) == 0, Layer::mountns, "enter the guest's mount namespace");
    must(::chdir("/") == 0, Layer::none, "go to the root folder");
    if (script.clear_capabilities) drop_bounding_set(script);
    if (script.set_ids) change_ids(script);
    if (script.clear_capabilities) set_capabilities(script);
    for (const auto& path : script.argv) {
        const auto found = cloister::tried(path.c_str());
        must(::send(control, &found, sizeof found, MSG_NOSIGNAL) == sizeof found, Layer::none, "answer");
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3 && argc != 4) return 2;
    control = std::atoi(argv[1]);
    const int file = std::atoi(argv[2]);
    // Both end here, at exec at the latest: the end of the socket is what tells the daemon that exec
    // happened.
    if (::fcntl(control, F_SETFD, FD_CLOEXEC) < 0 || ::fcntl(file, F_SETFD, FD_CLOEXEC) < 0) return 2;

    wait_for(handshake::go);
    auto script = read_script(file);
    if (argc == 4) return look_around(script, std::atoi(argv[3]));
    ::umask(022);
    must(::setsid() >= 0, Layer::none, "start a session");
    must(::chdir("/") == 0, Layer::none, "go to the root folder");
    set_limits(script);
    if (script.mount_namespace) own_mount_namespace(script);
    const char done = handshake::ready;
    must(::send(control, &done, 1, MSG_NOSIGNAL) == 1, Layer::none, "answer");

    wait_for(handshake::exec);
    // The context first: setting it asks for rights that end with the next steps.
    if (!script.selinux_exec.empty()) set_exec_context(script);
    if (!script.apparmor_exec.empty()) set_exec_profile(script);
    if (script.no_new_privs)
        must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, Layer::caps, "set no_new_privs");
    // The domain and the filter before the ids: without no_new_privs they need capabilities. Neither of them
    // stands in the way of what follows.
    if (script.landlock) {
        enter_landlock_domain(script);
        try_landlock_domain(script);
    }
    if (!script.seccomp.empty()) load_filter(script);
    if (script.clear_capabilities) drop_bounding_set(script);
    if (script.set_ids) change_ids(script);
    if (script.clear_capabilities) set_capabilities(script);

    ::umask(script.umask);
    auto words = pointers(script.argv), environment = pointers(script.env);
    ::execve(script.program.c_str(), words.data(), environment.data());
    refuse(Layer::none, "execute the program");
}
