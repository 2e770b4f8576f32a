#include "security/seccomp.hpp"

#include <sched.h>

namespace cloister {
namespace {

void add(SeccompPolicy& policy, SeccompAction action, const char* why,
         std::initializer_list<const char*> calls) {
    for (const char* call : calls) policy.rules.push_back({call, action, std::nullopt, why});
}

} // namespace

SeccompPolicy guest_seccomp() {
    SeccompPolicy out;
    using enum SeccompAction;
    add(out, kill, "loads code into the kernel",
        {"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf"});
    add(out, kill, "changes what is mounted, or where the root is",
        {"mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
         "fsmount", "fspick", "mount_setattr", "setns"});
    add(out, kill, "reads or steers another process",
        {"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise"});
    add(out, kill, "governs the host",
        {"reboot",
         "swapon",
         "swapoff",
         "acct",
         "quotactl",
         "quotactl_fd",
         "settimeofday",
         "clock_settime",
         "adjtimex",
         "clock_adjtime",
         "sethostname",
         "setdomainname",
         "vhangup",
         "iopl",
         "ioperm",
         "nfsservctl",
         "lookup_dcookie",
         "fanotify_init",
         "open_by_handle_at",
         "uselib",
         "modify_ldt"});
    add(out, refuse, "watches the kernel; libraries ask and cope",
        {"perf_event_open", "syslog", "userfaultfd"});
    add(out, refuse, "the kernel's key store", {"add_key", "request_key", "keyctl"});
    add(out, refuse, "moves memory of other processes", {"migrate_pages", "move_pages"});
    // A new namespace is where unprivileged users find kernel faults.
    constexpr std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                         CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    out.rules.push_back({"clone", refuse, SeccompArgument{0, namespaces}, "makes no namespaces"});
    out.rules.push_back(
        {"unshare", refuse, SeccompArgument{0, namespaces | CLONE_NEWTIME}, "makes no namespaces"});
    out.rules.push_back(
        {"clone3", not_there, std::nullopt, "its flags are out of a filter's sight: libraries use clone"});
    return out;
}

SeccompPolicy image_seccomp() {
    SeccompPolicy out{.otherwise = SeccompAction::kill};
    using enum SeccompAction;
    add(out, allow, "takes one image after another and answers", {"recvmsg", "write", "close"});
    add(out, allow, "reads the image", {"pread64"});
    add(out, allow, "grows the heap, which has a limit", {"brk"});
    add(out, allow, "ends", {"exit_group"});
    return out;
}

} // namespace cloister
