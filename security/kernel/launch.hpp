/// Launching a guest, step by step, for a worker thread: the driver saves its journal between the steps.
///
///     auto launch = Launch::prepare(plan, environment, journal);   // host Ops: folders, files, sockets,
///     taps, cgroups launch->spawn();     // the helper exists, does nothing yet: save launch->process() now
///     launch->confine();   // it has its own mount namespace and /dev; owners are given
///     launch->exec();      // it dropped everything and is QEMU now, waiting at -S
///     launch->verify();    // what the kernel says
///
/// After any failure: launch->abandon(). After the guest's end: release(undo).
#pragma once

#include "conf/base/result.hpp"
#include "security/apply_all.hpp"
#include "security/kernel/apply.hpp"
#include "security/kernel/owners.hpp"
#include "security/kernel/process.hpp"
#include "security/lower.hpp"
#include "security/verify.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// The steps, in order: the name in error messages, and where a test lets a launch fail ("launch:NAME").
enum class LaunchStep {
    look,
    lower,
    remember, ///< the inverses are with whoever keeps them
    directories,
    files,
    descriptors,
    cgroups,
    helper_spawn,  ///< a program beside QEMU exists, and does nothing yet
    helper_record, ///< how to end it is known
    helper_exec,
    helpers,
    spawn,
    machine, ///< the process has a scope of systemd-machined's, where that is there
    go,
    devices,
    ownership,
    exec,
    verify
};
std::string_view text(LaunchStep step);

/// Has systemd-machined make a scope around a process that does nothing yet. Blocking; on a worker.
using MakeMachine = std::function<Result<>(const LaunchPlan& plan, const ProcessId& process)>;

struct LaunchEnvironment {
    std::string helper = "/usr/libexec/cloister/cloister-confine"; ///< absolute
    CgroupLayout cgroups{}; ///< cgroup_layout(), read once when the daemon starts
    int log_fd = -1;        ///< QEMU's stdout and stderr; -1: plan.paths.log is opened (append, 0600 root)
    std::chrono::milliseconds patience{30000};                         ///< for each answer of the helper
    std::shared_ptr<OwnerBook> owners = std::make_shared<OwnerBook>(); ///< one for all guests of a daemon
    MakeMachine make_machine{}; ///< needed for a plan with a machine scope
};

class Launch {
public:
    /// `journal` is called before the host is touched, with the inverses (newest first) of all that the
    /// launch will do; and once more for each helper process, before that does anything: these go in front of
    /// those told before. `fresh` is told of until_it_runs() in the same way. On failure what was done is
    /// already taken back.
    static Result<Launch> prepare(const LaunchPlan& plan, const LaunchEnvironment& environment,
                                  Journal journal, Journal fresh = {});
    Result<> spawn();
    Result<> confine();
    Result<> exec();
    /// Compares the kernel with the plan. A difference is not an error: see Report::ok.
    Result<Report> verify() const;
    /// Ends the helper or QEMU (SIGKILL, waited for by pidfd) and takes everything back. Errors: what stayed.
    Result<> abandon();

    const ProcessId& process() const; ///< valid after spawn()
    const Fd& pidfd() const;          ///< valid after spawn(); becomes readable when QEMU ends
    Fd take_pidfd();
    const std::vector<Op>& undo() const; ///< so far, newest first
    /// What takes back that which was made anew and stays once the guest has run (NVRAM, a TPM's memory): to
    /// be applied after `undo` as long as it has not.
    const std::vector<Op>& until_it_runs() const;
    const Lowered& lowered() const;
    const std::vector<std::string>& argv() const; ///< as exec'd: symbols replaced by numbers
    const std::map<std::string, std::uint32_t>& vsock_cids() const; ///< by symbol

    Launch(Launch&&) noexcept;
    Launch& operator=(Launch&&) noexcept;
    ~Launch(); ///< frees what it holds; the host stays as it is

private:
    struct State;
    explicit Launch(std::unique_ptr<State> state);
    Result<> start_helpers();
    Result<> enter_scope();
    std::unique_ptr<State> state_;
};

/// Takes everything back: every Op is tried, what is already gone is fine. Idempotent. Files that other
/// holders of the book still use stay theirs. Errors: the first failure, after all were tried; the context
/// lists the rest.
Result<> release(const std::vector<Op>& undo, OwnerBook& owners);

/// What a launch looks at, for explain: reads, never writes. `owners` null: nobody holds anything.
Result<HostLook> look(const LaunchPlan& plan, const CgroupLayout& cgroups, const OwnerBook* owners = nullptr);
/// For hot-plug: the names that `added` needs.
Result<HostLook> look(const DevicePlan& added, const CgroupLayout& cgroups,
                      const OwnerBook* owners = nullptr);
/// The mounted cgroup hierarchies. Errors: system.
Result<CgroupLayout> cgroup_layout();
/// What this host cannot do for any guest, one sentence each with what helps: no device list, mounts that
/// will not arrive in guests, no Landlock. For the log when the daemon starts.
std::vector<std::string> host_warnings(const CgroupLayout& cgroups, bool mount_namespaces);

struct HotPlugged {
    std::vector<Op> done{}; ///< for note_changes()
    std::vector<Op> undo{}; ///< the inverses, newest first
    bool operator==(const HotPlugged&) const = default;
};
/// Adds a device to a running guest: nodes, device list, owners, all or nothing. The descriptors of `added`
/// are opened into `opened`, for SCM_RIGHTS over QMP.
Result<HotPlugged> hotplug(const LaunchPlan& running, const DevicePlan& added, const ProcessId& guest,
                           const CgroupLayout& cgroups, const Journal& journal, Opened& opened,
                           OwnerBook& owners);

/// The Ops of an unplug, to be handed to release(): see lower_unplug().
Result<std::vector<Op>> unplug(const LaunchPlan& left, const Lowered& lowered, std::vector<Op> undo,
                               const std::vector<Grant>& released, const ProcessId& guest,
                               const CgroupLayout& cgroups, const OwnerBook& owners);

} // namespace cloister
