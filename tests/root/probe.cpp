/// Stands in QEMU's place in the root tests: says what it is, and tries what must be refused.
///   probe wait [NAME]           sleeps until it is killed; listens on an abstract socket meanwhile
///   probe open PATH…            "PATH: ok" or the errno of each
///   probe syscall NAME          calls it with harmless arguments: "NAME: result"
///   probe attack PID [NAME]     tries to trace, read and signal another process, and to connect to its
///   socket probe self                  prints environment, umask, working folder, session, descriptors probe
///   spawn                 runs /bin/true probe thread                starts a thread: clone3 falls back to
///   clone
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace {

const char* outcome(long result) { return result >= 0 ? "ok" : std::strerror(errno); }

long attempt(const std::string& name) {
    if (name == "mount") return ::syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, nullptr);
    if (name == "umount2") return ::syscall(SYS_umount2, "/proc", 0);
    if (name == "ptrace") return ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    if (name == "bpf") return ::syscall(SYS_bpf, 0, nullptr, 0);
    if (name == "init_module") return ::syscall(SYS_init_module, nullptr, 0, "");
    if (name == "kexec_load") return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0);
    if (name == "reboot") return ::syscall(SYS_reboot, 0, 0, 0, nullptr);
    if (name == "chroot") return ::syscall(SYS_chroot, "/tmp");
    if (name == "setns") return ::syscall(SYS_setns, -1, 0);
    if (name == "process_vm_readv") return ::syscall(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0);
    if (name == "open_by_handle_at") return ::syscall(SYS_open_by_handle_at, -1, nullptr, 0);
    if (name == "perf_event_open") return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0);
    if (name == "keyctl") return ::syscall(SYS_keyctl, 0, -3, 0, 0, 0);
    if (name == "unshare") return ::syscall(SYS_unshare, 0x10000000);
    if (name == "clone") return ::syscall(SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0);
    if (name == "clone3") return ::syscall(SYS_clone3, nullptr, 0);
    if (name == "getpid") return ::syscall(SYS_getpid);
#ifdef __x86_64__
    if (name == "i386") { // a 32-bit getpid: another architecture's numbers
        long result = 20;
        asm volatile("int $0x80" : "+a"(result) : : "memory");
        return result;
    }
#endif
    return -1;
}

int self() {
    for (char** variable = environ; *variable != nullptr; ++variable) std::printf("env %s\n", *variable);
    const auto mask = ::umask(0);
    std::printf("umask %04o\n", mask);
    char folder[4096];
    std::printf("cwd %s\n", ::getcwd(folder, sizeof folder));
    std::printf("session %d\n", ::getsid(0) == ::getpid());
    DIR* const fds = ::opendir("/proc/self/fd");
    while (const auto* entry = ::readdir(fds)) {
        char target[4096] = "";
        if (entry->d_name[0] == '.' || std::atoi(entry->d_name) == ::dirfd(fds)) continue;
        (void)!::readlinkat(::dirfd(fds), entry->d_name, target, sizeof target - 1);
        std::printf("fd %s %s\n", entry->d_name, target);
    }
    return 0;
}

sockaddr_un abstract(const char* name) {
    sockaddr_un out{.sun_family = AF_UNIX, .sun_path = {}};
    std::strncpy(out.sun_path + 1, name, sizeof out.sun_path - 2);
    return out;
}
long connect_to(const char* name) {
    const auto address = abstract(name);
    return ::connect(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                     reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int attack(const char* victim, const char* abstract_name) {
    const int pid = std::atoi(victim);
    const std::string folder = std::string("/proc/") + victim;
    std::printf("ptrace: %s\n", outcome(::open((folder + "/auxv").c_str(), O_RDONLY | O_CLOEXEC)));
    std::printf("mem: %s\n", outcome(::open((folder + "/mem").c_str(), O_RDWR | O_CLOEXEC)));
    std::printf("root: %s\n",
                outcome(::open((folder + "/root/dev").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    std::printf("environ: %s\n", outcome(::open((folder + "/environ").c_str(), O_RDONLY | O_CLOEXEC)));
    std::printf("fd: %s\n", outcome(::open((folder + "/fd/0").c_str(), O_RDONLY | O_CLOEXEC)));
    const int victim_fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    const auto child = ::fork(); // the filter may kill whoever tries
    if (child == 0) ::_exit(::syscall(SYS_pidfd_getfd, victim_fd, 0, 0) < 0 ? errno : 0);
    int ended = 0;
    ::waitpid(child, &ended, 0);
    errno = WIFSIGNALED(ended) ? 0 : WEXITSTATUS(ended);
    std::printf("pidfd: %s\n",
                WIFSIGNALED(ended) ? ::strsignal(WTERMSIG(ended)) : outcome(errno != 0 ? -1 : 0));
    std::printf("kill: %s\n", outcome(::kill(pid, 0)));
    if (abstract_name != nullptr) std::printf("abstract: %s\n", outcome(connect_to(abstract_name)));
    std::printf("own thread: %s\n", outcome(::kill(::getpid(), 0)));
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "wait") {
        if (argc > 2) {
            const auto address = abstract(argv[2]);
            const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (::bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
                ::listen(listening, 1) < 0)
                return 1;
        }
        std::printf("waiting\n");
        for (;;) ::pause();
    }
    if (what == "open")
        for (int i = 2; i < argc; ++i) {
            const int fd = ::open(argv[i], O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
            std::printf("%s: %s\n", argv[i], outcome(fd));
        }
    if (what == "syscall") std::printf("%s: %s\n", argv[2], outcome(attempt(argv[2])));
    if (what == "self") return self();
    if (what == "attack") return attack(argv[2], argc > 3 ? argv[3] : nullptr);
    if (what == "spawn") {
        const pid_t child = ::fork();
        if (child == 0) ::execl("/bin/true", "true", nullptr);
        int status = 1;
        ::waitpid(child, &status, 0);
        std::printf("spawn: %d\n", status);
    }
    if (what == "thread") {
        std::thread([] { std::printf("thread: ok\n"); }).join();
    }
    return 0;
}
