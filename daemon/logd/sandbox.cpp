#include "daemon/logd/sandbox.hpp"

#include "conf/base/tr.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <memory>
#include <pwd.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cloister::logd {
namespace {

std::unexpected<Error> refused(Layer layer, std::string doing) {
    return std::unexpected(system_error(errno, tr("cloister-logd cannot {0}", doing), layer));
}

/// A pipe, a log and its backups for each guest.
Result<> set_limits() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) < 0) return refused(Layer::limits, "read its limits");
    files.rlim_cur = files.rlim_max;
    const rlimit none{0, 0};
    // Memory: a line for each guest, and nothing that grows. This is a guard against our own mistakes.
    const rlimit memory{std::uint64_t{256} << 20, std::uint64_t{256} << 20};
    if (::setrlimit(RLIMIT_NOFILE, &files) < 0 || ::setrlimit(RLIMIT_CORE, &none) < 0 ||
        ::setrlimit(RLIMIT_DATA, &memory) < 0)
        return refused(Layer::limits, "set its limits");
    return {};
}

Result<> drop_root(const RunsAs& who) {
    if (::geteuid() == 0) {
        for (unsigned cap = 0; ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; ++cap)
            if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                return refused(Layer::caps, "empty its capability bounding set");
        if (::setgroups(0, nullptr) < 0 || ::setresgid(who.gid, who.gid, who.gid) < 0 ||
            ::setresuid(who.uid, who.uid, who.uid) < 0)
            return refused(Layer::dac, "become another user");
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> nothing{};
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        ::syscall(SYS_capset, &header, nothing.data()) < 0)
        return refused(Layer::caps, "give up its capabilities");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return refused(Layer::caps, "set no_new_privs");
    // Others of the same user can neither trace it nor read the guests' output in its memory.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return refused(Layer::caps, "make itself undumpable");
    return {};
}

Result<> load_filter() {
    const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_KILL_PROCESS),
                                                                  &::seccomp_release);
    int failed = filter ? 0 : -ENOMEM;
    const auto allow = [&](int call) {
        if (failed == 0) failed = ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 0, nullptr);
    };
    const auto allow_if = [&](int call, scmp_arg_cmp condition) {
        if (failed == 0) failed = ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 1, &condition);
    };
    for (const int call : {SCMP_SYS(read),          SCMP_SYS(write),     SCMP_SYS(pread64),
                           SCMP_SYS(pwrite64),      SCMP_SYS(ftruncate), SCMP_SYS(fstat),
                           SCMP_SYS(close),         SCMP_SYS(poll),      SCMP_SYS(ppoll),
                           SCMP_SYS(accept4),       SCMP_SYS(recvmsg),   SCMP_SYS(sendto),
                           SCMP_SYS(getsockopt),    SCMP_SYS(brk),       SCMP_SYS(munmap),
                           SCMP_SYS(mremap),        SCMP_SYS(madvise),   SCMP_SYS(futex),
                           SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(restart_syscall),
                           SCMP_SYS(rt_sigreturn),  SCMP_SYS(exit),      SCMP_SYS(exit_group)})
        allow(call);
    // fstat(3) is this call in glibc. A filter cannot read the name: what exists could still be asked.
    allow_if(SCMP_SYS(newfstatat), {3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH});
    allow_if(SCMP_SYS(mmap), {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0});
    allow_if(SCMP_SYS(ioctl), {1, SCMP_CMP_EQ, FIONREAD, 0});
    allow_if(SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, F_GETFL, 0});
    if (failed == 0) failed = ::seccomp_load(filter.get());
    errno = -failed;
    if (failed != 0) return refused(Layer::seccomp, "load its syscall filter");
    return {};
}

} // namespace

RunsAs who_to_be() {
    if (::geteuid() != 0) return {::geteuid(), ::getegid(), {}};
    if (const auto* own = ::getpwnam("cloister-log"); own != nullptr && own->pw_uid != 0)
        return {own->pw_uid, own->pw_gid, {}};
    const auto* nobody = ::getpwnam("nobody");
    RunsAs out{65534, 65534, tr("there is no user 'cloister-log': running as nobody")};
    if (nobody != nullptr && nobody->pw_uid != 0) {
        out.uid = nobody->pw_uid;
        out.gid = nobody->pw_gid;
    }
    return out;
}

Result<> enter_sandbox(const RunsAs& who) {
    TRY(set_limits());
    TRY(drop_root(who));
    return load_filter();
}

} // namespace cloister::logd
