#include "security/qemu_sandbox.hpp"

#include <array>
#include <utility>

namespace cloister {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> table{{
    {"on",
     " reboot swapon swapoff syslog mount umount umount2 kexec_load afs_syscall break ftime getpmsg gtty "
     "lock mpx prof profil putpmsg security stty tuxcall ulimit vserver "},
    {"obsolete=deny",
     " readdir _sysctl bdflush create_module get_kernel_syms query_module sgetmask ssetmask sysfs uselib "
     "ustat "},
    {"elevateprivileges=deny",
     " setuid setgid setpgid setsid setreuid setregid setresuid setresgid setfsuid setfsgid "},
    // A thread is a clone, too, but not one that the filter forbids.
    {"spawn=deny", " fork vfork execve clone clone3 "},
    {"resourcecontrol=deny",
     " setpriority sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_setaffinity "
     "sched_getaffinity sched_get_priority_max sched_get_priority_min "},
}};

} // namespace

std::string_view sandbox_word(std::string_view syscall) {
    for (const auto& [word, calls] : table) {
        const auto at = syscall.empty() ? calls.npos : calls.find(syscall);
        if (at != calls.npos && calls[at - 1] == ' ' && calls[at + syscall.size()] == ' ') return word;
    }
    return {};
}

} // namespace cloister
