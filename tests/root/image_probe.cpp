/// Stands in cloister-image's place in the root tests: enters the same sandbox, then does as it is told.
///   filtered NAME     the system call NAME, with the filter
///   bare NAME         the same without it: what the other layers do
/// The first message is the filter, as from the daemon; it is asked by the format name of a request. Answers
/// with the errno of the call, or "ok"; a call that kills it does not answer.
#include "security/image/sandbox.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int image = 1; // the descriptor that came with the request

/// There is room for one descriptor besides the socket.
int open_instead(const char* path, int flags) {
    ::close(image);
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, 0600));
}
int connect_instead() {
    ::close(image);
    const int socket = static_cast<int>(::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(22);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket, reinterpret_cast<const sockaddr*>(&here), sizeof here);
}

long attempt(const std::string& name) {
    if (name == "open") return open_instead("/etc/passwd", O_RDONLY);
    if (name == "escape") return open_instead("../../../etc/passwd", O_RDONLY);
    if (name == "create") return open_instead("/x", O_WRONLY | O_CREAT);
    if (name == "proc") return open_instead("/proc/self/fd/1", O_RDWR);
    if (name == "connect") return connect_instead();
    if (name == "execve") return ::syscall(SYS_execve, "/bin/true", nullptr, nullptr);
    if (name == "execveat") return ::syscall(SYS_execveat, image, "", nullptr, nullptr, AT_EMPTY_PATH);
    if (name == "fork") return ::syscall(SYS_fork);
    if (name == "clone3") return ::syscall(SYS_clone3, nullptr, 0);
    if (name == "socket") return ::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    if (name == "netlink") return ::syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
    if (name == "ptrace") return ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    if (name == "kill") return ::syscall(SYS_kill, -1, SIGTERM);
    if (name == "ioctl") return ::syscall(SYS_ioctl, image, 0, 0);
    if (name == "write-image") return ::syscall(SYS_write, image, "x", 1);
    if (name == "mmap") return ::syscall(SYS_mmap, nullptr, 4096, PROT_READ, MAP_PRIVATE, image, 0);
    if (name == "mprotect") return ::syscall(SYS_mprotect, nullptr, 0, PROT_EXEC);
    if (name == "mount") return ::syscall(SYS_mount, "none", "/", "tmpfs", 0, nullptr);
    if (name == "unshare") return ::syscall(SYS_unshare, 0x00020000);
    if (name == "setuid") return ::syscall(SYS_setuid, 0);
    if (name == "dup") return ::syscall(SYS_dup, image);
    if (name == "sendmsg") return ::syscall(SYS_sendmsg, cloister::image_socket, nullptr, 0);
    if (name == "io_uring_setup") return ::syscall(SYS_io_uring_setup, 1, nullptr);
    if (name == "bpf") return ::syscall(SYS_bpf, 0, nullptr, 0);
    return -1;
}

std::string received() {
    char text[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec where{text, sizeof text};
    msghdr message{};
    message.msg_iov = &where;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto got = ::recvmsg(cloister::image_socket, &message, 0);
    if (got <= 0) ::_exit(0);
    return {text, static_cast<std::size_t>(got)};
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const auto filter = received();
    cloister::enter_image_sandbox(std::string(argv[1]) == "filtered" ? filter : std::string());
    (void)received();
    errno = 0;
    const long result = attempt(argv[2]);
    const auto said = result >= 0 ? std::string("ok") : std::to_string(errno);
    (void)!::write(cloister::image_socket, said.data(), said.size());
    ::_exit(0);
}
