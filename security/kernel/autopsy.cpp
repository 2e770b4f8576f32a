#include "security/kernel/autopsy.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/helper.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/seccomp.hpp"
#include "security/kernel/selinux.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <unistd.h>

namespace cloister {
namespace {

using Clock = std::chrono::steady_clock;

/// Shows `found` the records of the kernel's log until it is content. The audit lines are written by a thread
/// of the kernel's, a moment later; where an audit daemon takes them, none comes at all.
void each_kernel_line(const std::function<bool(std::string_view)>& found) {
    const Fd log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!log) return;
    const auto deadline = Clock::now() + std::chrono::milliseconds(400);
    std::array<char, 8192> record{};
    for (;;) {
        const auto size = ::read(log.n(), record.data(), record.size()); // one record each
        if (size > 0) {
            if (found({record.data(), static_cast<std::size_t>(size)})) return;
            continue;
        }
        if (size < 0 && (errno == EPIPE || errno == EINTR)) continue; // overwritten meanwhile
        if (size == 0 || errno != EAGAIN) return;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd more{log.n(), POLLIN, 0};
        if (left <= 0 || ::poll(&more, 1, static_cast<int>(left)) <= 0) return;
    }
}

std::optional<int> fatal_syscall(std::int32_t pid) {
    std::optional<int> out;
    each_kernel_line([&](std::string_view line) { return (out = syscall_in(line, pid)).has_value(); });
    return out;
}

/// Whether one of `paths` was refused by the guest's profile.
void ask_apparmor(const std::string& profile, std::vector<PathFacts>& paths) {
    each_kernel_line([&](std::string_view line) {
        bool any = false;
        for (const auto& name : refused_by_apparmor(line, profile))
            for (auto& path : paths)
                if (path.path == name) any = path.apparmor_said_no = true;
        return any;
    });
}

Result<std::vector<Tried>> looked_at(const std::vector<std::string>& paths, Script script,
                                     ConfinedProcess::Request request) {
    script.program.clear();
    script.argv = paths;
    script.env.clear();
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return failed("open", "/dev/null", Layer::none);
    request.fds = {null.n(), null.n(), null.n()};
    const auto patience = request.patience;
    auto helper = TRY(ConfinedProcess::spawn(script, std::move(request)));
    auto found = helper.look(paths.size());
    (void)send_signal(helper.pidfd(), SIGKILL); // it ends by itself, unless a path keeps it
    (void)wait_exit(helper.pidfd(), patience);
    return found;
}

/// The host's side, in a process too: a name on a dead server must not keep the daemon.
Result<std::vector<Tried>> host_side(const Dead& dead, const std::vector<std::string>& paths) {
    const Script nobody_else{.set_ids = false, .clear_capabilities = false};
    return looked_at(
        paths, nobody_else,
        {.helper = dead.helper, .patience = dead.patience, .looks_in = ConfinedProcess::own_namespace});
}

} // namespace

Fd mount_namespace_of(const LaunchPlan& plan, const ProcessId& guest) {
    if (!plan.confinement.mount_namespace) return {};
    return Fd(::open(("/proc/" + std::to_string(guest.pid) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
}

Result<std::vector<Tried>> replay(const Dead& dead, const Fd& mount_namespace,
                                  const std::vector<std::string>& paths) {
    if (dead.plan.confinement.mount_namespace && !mount_namespace)
        return fail(Code::operation_failed, tr("the guest's mount namespace is gone"));
    return looked_at(paths, dead.lowered.script,
                     {.helper = dead.helper,
                      .groups = dead.lowered.groups,
                      .cgroup_v2 = dead.lowered.cgroup_v2,
                      .patience = dead.patience,
                      .looks_in = mount_namespace ? mount_namespace.n() : ConfinedProcess::own_namespace});
}

DeathFacts death_facts(const Dead& dead, const Fd& mount_namespace) {
    DeathFacts out{.uid = dead.plan.identity.set_ids ? dead.plan.identity.uid : ::geteuid(),
                   .private_dev = dead.plan.confinement.mount_namespace,
                   .device_acl = dead.lowered.device_backend != DeviceBackend::none,
                   .qemu_seccomp = dead.plan.confinement.qemu_seccomp,
                   .rules = dead.lowered.device_rules,
                   .spawns = spawner_in(dead.plan)};
    if (dead.ended) {
        out.known = dead.ended->known;
        out.code = dead.ended->code;
        out.signal = dead.ended->signal;
    }
    if (out.known && out.signal == SIGSYS) {
        if (const auto number = fatal_syscall(dead.process.pid)) out.syscall = syscall_name(*number);
        return out; // no path has a part in it
    }
    const auto& who = dead.plan.identity;
    out.context = who.process_context;
    out.image_context = who.image_context;
    out.shared_context = who.shared_context;
    out.content_context = who.content_context;
    out.profile = who.apparmor_profile;
    out.paths = paths_in(dead.words);
    // QEMU's own name stands before every message, and is no suspect.
    std::erase_if(out.paths, [&](const PathFacts& path) { return path.path == dead.plan.emulator; });
    out.named = !out.paths.empty();
    auto planned = paths_in(dead.plan);
    for (auto& path : planned) {
        const auto known = std::ranges::find(out.paths, path.path, &PathFacts::path);
        if (known != out.paths.end())
            known->why = path.why;
        else if (!out.named)
            out.paths.push_back(std::move(path));
    }
    std::vector<std::string> names;
    for (const auto& path : out.paths) names.push_back(path.path);
    if (names.empty()) return out;
    const auto host = host_side(dead, names);
    if (!host) { // not even that much can be known
        out.paths.clear();
        return out;
    }
    for (std::size_t i = 0; i < names.size(); ++i) out.paths[i].host = (*host)[i];
    if (!out.context.empty())
        for (auto& path : out.paths) path.selinux = label_facts(path.path, path.host.type, out.context);
    if (!out.profile.empty() && out.named) ask_apparmor(out.profile, out.paths);
    if (const auto found = replay(dead, mount_namespace, names))
        for (std::size_t i = 0; i < names.size(); ++i) out.paths[i].guest = (*found)[i];
    return out;
}

} // namespace cloister
