#include "security/kernel/process.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace cloister {
namespace {

/// What the new process needs before exec, laid out by the old one: between clone and exec it only makes
/// system calls.
struct Birth {
    const char* program;
    char* const* argv;
    char* const* env;
    const int* fds;
    unsigned count;
    int* scratch; ///< as long as fds
    int error;    ///< set by the new process, seen here because the memory is shared
};

/// The kernel's struct sigaction: glibc's wrappers are not for a process that shares our memory.
struct KernelAction {
    unsigned long handler, flags, restorer, mask;
};

/// Runs in the new process, on a stack of its own, with our memory: async-signal-safe calls only, and no
/// return.
[[noreturn]] void be_born(void* argument) {
    auto& birth = *static_cast<Birth*>(argument);
    // Handlers are gone by CLONE_CLEAR_SIGHAND, but what the daemon ignores would stay ignored.
    constexpr KernelAction by_default{};
    for (int number = 1; number < 65; ++number)
        ::syscall(SYS_rt_sigaction, number, &by_default, nullptr, sizeof(unsigned long));
    bool ready = true;
    // Out of the way first: a source may have the number of another's place.
    for (unsigned i = 0; i < birth.count && ready; ++i) {
        birth.scratch[i] = ::fcntl(birth.fds[i], F_DUPFD, static_cast<int>(birth.count));
        ready = birth.scratch[i] >= 0;
    }
    for (unsigned i = 0; i < birth.count && ready; ++i)
        ready = ::dup2(birth.scratch[i], static_cast<int>(i)) >= 0;
    if (ready && ::syscall(SYS_close_range, birth.count, ~0U, 0) == 0) {
        constexpr unsigned long none = 0;
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
        ::execve(birth.program, birth.argv, birth.env);
    }
    birth.error = errno;
    ::_exit(127);
}

/// clone3 onto another stack. Inline, because a function's return address would lie on a stack that both use.
long clone_onto(clone_args& args, void (*start)(void*), void* argument) {
#if defined(__x86_64__)
    register void (*function)(void*) asm("r12") = start;
    register void* value asm("r13") = argument;
    long result = SYS_clone3;
    asm volatile("syscall\n\t"
                 "test %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "xor %%ebp, %%ebp\n\t"
                 "mov %[value], %%rdi\n\t"
                 "call *%[function]\n\t"
                 "ud2\n"
                 "1:"
                 : "+a"(result)
                 : "D"(&args), "S"(sizeof args), [function] "r"(function), [value] "r"(value)
                 : "rcx", "r11", "memory", "cc");
    return result;
#elif defined(__aarch64__)
    register long number asm("x8") = SYS_clone3;
    register long result asm("x0") = reinterpret_cast<long>(&args);
    register long size asm("x1") = sizeof args;
    register void (*function)(void*) asm("x19") = start;
    register void* value asm("x20") = argument;
    asm volatile("svc #0\n\t"
                 "cbnz x0, 1f\n\t"
                 "mov x29, xzr\n\t"
                 "mov x0, %[value]\n\t"
                 "blr %[function]\n\t"
                 "brk #1\n"
                 "1:"
                 : "+r"(result)
                 : "r"(number), "r"(size), [function] "r"(function), [value] "r"(value)
                 : "memory", "cc");
    return result;
#else
#error "clone3 with a stack of its own is written for x86_64 and aarch64 only"
#endif
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> out;
    for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
}

Result<Spawned> start(const SpawnRequest& request, const std::vector<Fd>& groups, const Fd& v2) {
    // "0" moves the writing thread itself: alone of all moves it needs no wait for the whole machine (RCU).
    for (std::size_t i = 0; i < groups.size(); ++i)
        if (::write(groups[i].n(), "0", 1) < 0)
            return failed("enter group", request.groups[i], Layer::cgroup);

    const auto argv = pointers(request.argv), env = pointers(request.env);
    std::vector<int> scratch(request.fds.size());
    Birth birth{request.program.c_str(),
                argv.data(),
                env.data(),
                request.fds.data(),
                static_cast<unsigned>(request.fds.size()),
                scratch.data(),
                0};
    std::vector<std::byte> stack(std::size_t{64} << 10);
    int pidfd = -1;
    clone_args args{};
    args.flags = __u64{CLONE_VM} | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | request.namespaces;
    args.pidfd = reinterpret_cast<__u64>(&pidfd);
    args.exit_signal = SIGCHLD;
    const auto base = (reinterpret_cast<__u64>(stack.data()) + 15) & ~__u64{15};
    args.stack = base;
    args.stack_size = (stack.size() - 16) & ~__u64{15};
    if (v2) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<__u64>(v2.n());
    }
    sigset_t all, before;
    ::sigfillset(&all);
    // A handler must not run in the process that shares our memory.
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const long pid = clone_onto(args, be_born, &birth);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        errno = static_cast<int>(-pid);
        return failed("start", request.program, Layer::none);
    }
    Spawned out{.pidfd = Fd(pidfd)};
    if (birth.error != 0) {
        (void)wait_exit(out.pidfd, std::chrono::seconds(5)); // reaped; it has nothing more to tell
        errno = birth.error;
        return failed("start", request.program, Layer::none);
    }
    out.id = TRY(identify(static_cast<std::int32_t>(pid)));
    return out;
}

} // namespace

Result<Spawned> spawn(const SpawnRequest& request) {
    std::vector<Fd> groups;
    for (const auto& group : request.groups) {
        groups.emplace_back(::open((group + "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
        if (!groups.back()) return failed("open", group + "/tasks", Layer::cgroup);
    }
    Fd v2;
    if (!request.cgroup_v2.empty()) {
        v2 = Fd(::open(request.cgroup_v2.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!v2) return failed("open group", request.cgroup_v2, Layer::cgroup);
    }
    if (groups.empty()) return start(request, groups, v2);
    // A thread that enters the guest's groups, gives birth there, and leaves them by ending.
    Result<Spawned> out = fail(Code::internal, tr("a thread did not run"));
    std::thread([&] { out = start(request, groups, v2); }).join();
    return out;
}

std::string boot_id() {
    auto text = read_file("/proc/sys/kernel/random/boot_id").value_or("");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

Result<ProcessId> identify(std::int32_t pid) {
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    if (!stat) {
        if (errno == ENOENT) errno = ESRCH;
        return failed("find process", std::to_string(pid), Layer::none);
    }
    // The name in field 2 may hold anything, ")" too: count from the last one. Field 22 is 20 spaces after
    // it.
    auto at = stat->rfind(')');
    for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
    ProcessId out{.pid = pid, .start_time = 0, .boot_id = boot_id()};
    if (at == std::string::npos ||
        std::from_chars(stat->data() + at + 1, stat->data() + stat->size(), out.start_time).ec != std::errc{})
        return fail(Code::internal, tr("the state of process {0} cannot be read", pid));
    return out;
}

Fd open_process(const ProcessId& process) {
    if (process.pid <= 0) return {};
    Fd out(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!out) return {};
    const auto now = identify(process.pid); // after the open: from here the number cannot change hands unseen
    if (!now || *now != process) return {};
    pollfd ended{out.n(), POLLIN, 0};
    if (::poll(&ended, 1, 0) == 1) return {}; // a zombie is gone
    return out;
}

std::optional<ExitStatus> wait_exit(const Fd& pidfd, std::chrono::milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + patience;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd ended{pidfd.n(), POLLIN, 0};
        const int ready = ::poll(&ended, 1, static_cast<int>(std::max<long>(left, 0)));
        if (ready == 1) break;
        if (ready == 0 || errno != EINTR) return std::nullopt;
    }
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.n()), &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return ExitStatus{}; // not our child, or reaped before
    if (info.si_code == CLD_EXITED) return ExitStatus{true, info.si_status, 0};
    return ExitStatus{true, 0, info.si_status};
}

Result<> send_signal(const Fd& pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd.n(), signal, nullptr, 0) < 0 && errno != ESRCH)
        return failed("send signal " + std::to_string(signal) + " to", "the process", Layer::none);
    return {};
}

Result<> run(const StopProcess& op) {
    const auto process = open_process(op.process);
    if (!process) return {};
    // The launch helper made it the head of a session: what it has started itself goes with it. (A group's
    // number cannot be another's as long as its head is there, dead or alive.)
    const bool heads_group = ::getpgid(op.process.pid) == op.process.pid;
    const auto end_group = [&](int signal) {
        if (heads_group) (void)::kill(-op.process.pid, signal); // nobody left is what we want
    };
    for (const int signal : {SIGTERM, SIGKILL}) {
        end_group(signal);
        if (auto sent = send_signal(process, signal); !sent) return sent;
        pollfd ended{process.n(), POLLIN, 0};
        if (::poll(&ended, 1, 5000) != 1) continue;
        end_group(SIGKILL);
        (void)wait_exit(process, std::chrono::seconds(0)); // reaps a child
        return {};
    }
    return fail(Code::operation_failed, tr("{0} (process {1}) does not end", op.name, op.process.pid));
}

} // namespace cloister
