#include "security/kernel/launch.hpp"

#include "conf/base/names.hpp"
#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "security/bounds.hpp"
#include "security/dac.hpp"
#include "security/kernel/bpf.hpp"
#include "security/kernel/facts.hpp"
#include "security/kernel/fault.hpp"
#include "security/kernel/helper.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/seccomp.hpp"
#include "security/op_json.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister {

template <> inline constexpr auto names<LaunchStep> =
    make_names<LaunchStep>({"look", "lower", "remember", "directories", "files", "descriptors", "cgroups",
                            "helper-spawn", "helper-record", "helper-exec", "helpers", "spawn", "machine",
                            "go", "devices", "ownership", "exec", "verify"});
static_assert(names<LaunchStep>.covers(LaunchStep::verify));

std::string_view text(LaunchStep step) { return names<LaunchStep>.text(step); }

namespace {

Result<> fault_at(LaunchStep step) { return fault::at("launch", text(step)); }
/// After an Op of a start, before one of taking back.
Result<> fault_after(const Op& op) { return fault::at("do", op_names[op.index()]); }
Result<> fault_before(const Op& op) { return fault::at("undo", op_names[op.index()]); }

} // namespace

struct Launch::State {
    LaunchPlan plan;
    LaunchEnvironment environment;
    Journal journal, fresh;
    Lowered lowered{};
    Opened opened{};
    Fd null{}, log{};
    std::vector<Op> undo{};
    std::vector<ConfinedProcess> helpers{};
    std::optional<ConfinedProcess> guest{};
    std::map<std::string, std::uint32_t> cids{};

    std::vector<Op> until_it_runs{}; ///< see Launch::until_it_runs
    std::vector<Op> kept{};          ///< of these what lowering knows

    /// All inverses at once and before anything is done: one write to disk for a whole launch. What is in
    /// there but never happens is harmless to take back.
    Result<> remember(const std::vector<Op>& back) {
        if (journal && !back.empty())
            if (auto saved = journal(back); !saved) return saved;
        undo.insert(undo.begin(), back.begin(), back.end());
        return {};
    }
    Result<> remember_fresh(const std::vector<Op>& back) {
        if (fresh && !back.empty())
            if (auto saved = fresh(back); !saved) return saved;
        until_it_runs.insert(until_it_runs.begin(), back.begin(), back.end());
        return {};
    }
    Result<> remember_everything() {
        std::vector<Op> all;
        if (auto known = remember_fresh(kept); !known) return known;
        for (const auto* part : {&lowered.directories, &lowered.files, &lowered.descriptors, &lowered.cgroups,
                                 &lowered.ownership})
            all.insert(all.end(), part->begin(), part->end());
        return remember(inverses(all));
    }
    /// A setup that is cut off must not look like one that is done: what it makes is removed again.
    Result<> remember_setup(const std::string& made) {
        const auto folder = split(made).first;
        std::error_code unreadable;
        const bool ours = std::filesystem::is_empty(folder, unreadable) && !unreadable;
        const Op back = ours ? Op{RemoveDirectory{folder}} : Op{RemoveFile{made}};
        return remember_fresh({back});
    }
    /// What a setup made is the guest's, as what was there before.
    Result<> label_again(const HelperProcess& helper) {
        for (const auto& op : lowered.directories)
            if (const auto* tree = std::get_if<LabelTree>(&op))
                for (const auto& directory : helper.directories)
                    if (directory.path == tree->path)
                        if (auto done = cloister::apply(op); !done) return done;
        return {};
    }
    Result<> apply(const std::vector<Op>& ops) {
        for (const auto& op : ops) {
            const auto* vsock = std::get_if<OpenVsock>(&op);
            auto done = vsock != nullptr && vsock->cid == 0
                            ? open_vsock(*vsock)
                            : cloister::apply(op, opened, *environment.owners);
            if (done) done = fault_after(op);
            if (!done) return done;
        }
        return {};
    }
    /// The first address that nobody has; the command line names it by the symbol "SYMBOL.cid".
    Result<> open_vsock(OpenVsock op) {
        constexpr std::uint32_t first = 3, last = 0xfffffffe; // 0, 1, 2 are the hypervisor's and the host's
        for (op.cid = first; op.cid < last; ++op.cid) {
            auto done = cloister::apply(op, opened, *environment.owners);
            if (!done && done.error().sys_errno == EADDRINUSE) continue;
            if (!done) return done;
            cids[op.symbol] = op.cid;
            for (auto& word : lowered.script.argv)
                word = with_symbols(word, {{op.symbol + ".cid", std::to_string(op.cid)}});
            return {};
        }
        return fail(Code::operation_failed, tr("no vsock address is free"));
    }
    Result<> lower_plan(const HostLook& seen) {
        if (plan.bounds) TRY(check_bounds(*plan.bounds, seen));
        lowered = TRY(lower(plan, seen));
        for (const auto& op : lowered.files)
            if (const auto* file = std::get_if<MakeFile>(&op); file != nullptr && file->keep)
                if (!seen.paths.contains(file->path)) {
                    kept.emplace_back(RemoveFile{file->path});
                    kept.emplace_back(RemoveFile{unfinished(file->path)});
                }
        if (!lowered.seccomp.rules.empty()) {
            lowered.script.seccomp = TRY(compiled(lowered.seccomp));
            for (auto& helper : lowered.helpers) helper.seccomp = lowered.script.seccomp;
        }
        return {};
    }
    Result<> open_descriptors();
    bool in_scope() const { return plan.confinement.machine_scope && !lowered.cgroup_v2.empty(); }
};

Launch::Launch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Launch::Launch(Launch&&) noexcept = default;
Launch& Launch::operator=(Launch&&) noexcept = default;
Launch::~Launch() = default;

const ProcessId& Launch::process() const {
    static const ProcessId none;
    return state_->guest ? state_->guest->id() : none;
}
const Fd& Launch::pidfd() const {
    static const Fd none;
    return state_->guest ? state_->guest->pidfd() : none;
}
Fd Launch::take_pidfd() { return state_->guest ? std::move(state_->guest->pidfd()) : Fd{}; }
const std::vector<Op>& Launch::undo() const { return state_->undo; }
const std::vector<Op>& Launch::until_it_runs() const { return state_->until_it_runs; }
const Lowered& Launch::lowered() const { return state_->lowered; }
const std::vector<std::string>& Launch::argv() const { return state_->lowered.script.argv; }
const std::map<std::string, std::uint32_t>& Launch::vsock_cids() const { return state_->cids; }

namespace {

/// Runs one step: its error says which it was.
template <class Work> Result<> step(LaunchStep at, Work&& work) {
    auto done = work();
    if (done) done = fault_at(at);
    if (!done)
        return std::unexpected(std::move(done).error().during(tr("step '{0}' of the launch", text(at))));
    return done;
}

Result<Fd> open_log(const LaunchPlan& plan, int given) {
    if (given >= 0) {
        Fd copy(::fcntl(given, F_DUPFD_CLOEXEC, 3));
        if (!copy) return failed("use", "the log", Layer::none);
        return copy;
    }
    if (plan.paths.log.empty()) {
        Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
        if (!null) return failed("open", "/dev/null", Layer::none);
        return null;
    }
    if (auto made = make_parents(plan.paths.log); !made) return std::unexpected(made.error());
    // Root's and 0600: the guest writes through the descriptor, and cannot open it again.
    Fd log(::open(plan.paths.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                  0600));
    if (!log) return failed("open", plan.paths.log, Layer::none);
    return log;
}

/// Whether a socket of this name listens: one that is only bound refuses whoever connects. Source: proc(5),
/// /proc/net/unix, whose flag 0x10000 is SO_ACCEPTCON. Connecting would be an answer, too, but some programs
/// serve one connection only.
bool listens(const std::string& path) {
    const auto table = read_file("/proc/self/net/unix").value_or("");
    for (auto at = table.find(path); at != std::string::npos; at = table.find(path, at + 1)) {
        const auto begin = table.rfind('\n', at) + 1, end = at + path.size();
        const std::string_view line(table.data() + begin, at - begin);
        if ((end == table.size() || table[end] == '\n') && line.ends_with(' ') &&
            line.find(" 00010000 ") != std::string_view::npos)
            return true;
    }
    return false;
}

/// Waits until the process listens at `path`; fails when it ends before.
Result<> wait_for_listener(const std::string& path, const Fd& process, std::chrono::milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + patience;
    while (!listens(path)) {
        if (Clock::now() >= deadline)
            return fail(Code::operation_timeout, tr("nobody listens on '{0}'", path));
        pollfd ended{process.n(), POLLIN, 0};
        if (::poll(&ended, 1, 1) == 1) // the kernel has no event for listen(2)
            return fail(Code::operation_failed, tr("the program ended before it listened on '{0}'", path));
    }
    return {};
}

/// Waits until something stands at `path`, by inotify; fails when the process ends before.
Result<> wait_for_path(const std::string& path, const Fd& process, std::chrono::milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + patience;
    const auto folder = split(path).first;
    const Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch || ::inotify_add_watch(watch.n(), folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0)
        return failed("watch", folder, Layer::none);
    for (;;) {
        if (::access(path.c_str(), F_OK) == 0) return {};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        std::array<pollfd, 2> wait{pollfd{watch.n(), POLLIN, 0}, pollfd{process.n(), POLLIN, 0}};
        const int ready = ::poll(wait.data(), wait.size(), static_cast<int>(std::max<long>(left, 0)));
        if (ready == 0) return fail(Code::operation_timeout, tr("'{0}' did not appear", path));
        if (wait[1].revents != 0)
            return fail(Code::operation_failed, tr("the program ended before it made '{0}'", path));
        std::array<char, 4096> events{};
        // Only that something happened counts: nothing to read yet is as good as any name.
        if (::read(watch.n(), events.data(), events.size()) < 0 && errno != EAGAIN && errno != EINTR)
            return failed("watch", folder, Layer::none);
    }
}

} // namespace

Result<Launch> Launch::prepare(const LaunchPlan& plan, const LaunchEnvironment& environment, Journal journal,
                               Journal fresh) {
    Launch out(std::make_unique<State>(State{plan, environment, std::move(journal), std::move(fresh)}));
    auto& s = *out.state_;
    HostLook seen;
    const std::vector<std::pair<LaunchStep, std::function<Result<>()>>> steps{
        {LaunchStep::look,
         [&]() -> Result<> {
             seen = TRY(look(plan, environment.cgroups, environment.owners.get()));
             return {};
         }},
        {LaunchStep::lower, [&] { return s.lower_plan(seen); }},
        {LaunchStep::remember, [&] { return s.remember_everything(); }},
        {LaunchStep::directories, [&] { return s.apply(s.lowered.directories); }},
        {LaunchStep::files, [&] { return s.apply(s.lowered.files); }},
        {LaunchStep::descriptors, [&] { return s.open_descriptors(); }},
        // A scope is made around a process: the group inside and the programs that join it come after.
        {LaunchStep::cgroups, [&] { return s.in_scope() ? Result<>{} : s.apply(s.lowered.cgroups); }},
        {LaunchStep::helpers, [&] { return s.in_scope() ? Result<>{} : out.start_helpers(); }}};
    for (const auto& [at, work] : steps) {
        auto done = step(at, work);
        if (done) continue;
        auto error = std::move(done).error();
        if (auto back = out.abandon(); !back) error.context.push_back("taking back: " + back.error().message);
        return std::unexpected(std::move(error));
    }
    return out;
}

Result<> Launch::State::open_descriptors() {
    if (auto done = apply(lowered.descriptors); !done) return done;
    for (const auto& op : lowered.descriptors)
        if (const auto* vsock = std::get_if<OpenVsock>(&op); vsock != nullptr && vsock->cid != 0)
            cids[vsock->symbol] = vsock->cid;
    null = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return failed("open", "/dev/null", Layer::none);
    log = TRY(open_log(plan, environment.log_fd));
    return {};
}

Result<> Launch::start_helpers() {
    auto& s = *state_;
    for (std::size_t i = 0; i < s.plan.helpers.size(); ++i) {
        const auto& helper = s.plan.helpers[i];
        const auto run = [&](const Script& script) -> Result<> {
            s.helpers.push_back(TRY(ConfinedProcess::spawn(script, {.helper = s.environment.helper,
                                                                    .fds = {s.null.n(), s.log.n(), s.log.n()},
                                                                    .groups = s.lowered.groups,
                                                                    .cgroup_v2 = s.lowered.cgroup_v2,
                                                                    .patience = s.environment.patience})));
            if (auto asked = fault_at(LaunchStep::helper_spawn); !asked) return asked;
            if (auto noted = s.remember({StopProcess{s.helpers.back().id(), helper.name}}); !noted)
                return noted;
            if (auto asked = fault_at(LaunchStep::helper_record); !asked) return asked;
            if (auto ready = s.helpers.back().go(); !ready) return ready;
            if (auto done = s.helpers.back().exec(); !done) return done;
            return fault_at(LaunchStep::helper_exec);
        };
        if (helper.setup &&
            (helper.setup_unless.empty() || ::access(helper.setup_unless.c_str(), F_OK) < 0)) {
            auto script = s.lowered.helpers.at(i);
            script.argv = *helper.setup;
            script.program = script.argv.empty() ? std::string() : script.argv.front();
            // No guest is there yet that could have a say: what sets up may read the keys that sign.
            script.selinux_exec.clear();
            script.apparmor_exec.clear();
            if (!helper.setup_unless.empty())
                if (auto known = s.remember_setup(helper.setup_unless); !known) return known;
            if (auto ran = run(script); !ran) return ran;
            const auto ended = wait_exit(s.helpers.back().pidfd(), s.environment.patience);
            s.helpers.pop_back();
            if (!ended || ended->code != 0 || ended->signal != 0)
                return fail(Code::operation_failed,
                            tr("setting up {0} failed; the guest's log says why", helper.name));
            if (auto given = s.label_again(helper); !given) return given;
        }
        if (auto ran = run(s.lowered.helpers.at(i)); !ran) return ran;
        if (helper.socket.empty()) continue;
        if (auto there = wait_for_path(helper.socket, s.helpers.back().pidfd(), s.environment.patience);
            !there)
            return there;
        if (auto ready = wait_for_listener(helper.socket, s.helpers.back().pidfd(), s.environment.patience);
            !ready)
            return ready;
        struct stat found{};
        if (::lstat(helper.socket.c_str(), &found) < 0) return failed("look at", helper.socket, Layer::none);
        // It goes with its folder or its process: nothing to restore, but QEMU must be able to connect.
        if (s.plan.identity.set_ids)
            if (auto given = cloister::apply(Chown{helper.socket,
                                                   {found.st_dev, found.st_ino},
                                                   {s.plan.identity.uid, s.plan.identity.gid},
                                                   {found.st_uid, found.st_gid}});
                !given)
                return given;
    }
    return {};
}

Result<> Launch::spawn() {
    auto& s = *state_;
    return step(LaunchStep::spawn, [&]() -> Result<> {
        std::vector<int> fds{s.null.n(), s.log.n(), s.log.n()};
        fds.resize(3 + s.lowered.fds.size(), -1);
        for (const auto& [symbol, number] : s.lowered.fds)
            fds.at(static_cast<std::size_t>(number)) = s.opened.at(symbol).n();
        s.guest = TRY(ConfinedProcess::spawn(
            s.lowered.script, {.helper = s.environment.helper,
                               .fds = std::move(fds),
                               .groups = s.in_scope() ? std::vector<std::string>{} : s.lowered.groups,
                               .cgroup_v2 = s.in_scope() ? std::string() : s.lowered.cgroup_v2,
                               .patience = s.environment.patience}));
        return {};
    });
}

Result<> Launch::enter_scope() {
    auto& s = *state_;
    if (!s.environment.make_machine) return fail(Code::internal, tr("there is nobody to ask for a scope"));
    if (auto made = s.environment.make_machine(s.plan, s.guest->id()); !made) return made;
    const auto scope = s.lowered.cgroup_v2.substr(0, s.lowered.cgroup_v2.rfind('/'));
    const auto found = read_file("/proc/" + std::to_string(s.guest->id().pid) + "/cgroup").value_or("");
    const auto name = scope.substr(scope.rfind('/'));
    if (found.find(name + "\n") == found.npos)
        return fail(Code::operation_failed,
                    tr("systemd-machined made another scope than '{0}': {1}", name.substr(1), found));
    if (auto made = s.apply(s.lowered.cgroups); !made) return made;
    if (auto moved = cloister::apply(MoveToCgroup{{s.lowered.cgroup_v2}, s.guest->id().pid}); !moved)
        return moved;
    if (auto set = s.apply(s.lowered.entered); !set) return set;
    return start_helpers();
}

Result<> Launch::confine() {
    auto& s = *state_;
    if (auto r = step(LaunchStep::machine, [&] { return s.in_scope() ? enter_scope() : Result<>{}; }); !r)
        return r;
    if (auto r = step(LaunchStep::go, [&] { return s.guest->go(); }); !r) return r;
    // Nodes go with the namespace: nothing of them is journalled.
    if (auto r = step(LaunchStep::devices,
                      [&]() -> Result<> {
                          for (auto op : s.lowered.devices) {
                              set_guest(op, s.guest->id());
                              if (auto made = cloister::apply(op); !made) return made;
                              if (auto asked = fault_after(op); !asked) return asked;
                          }
                          return {};
                      });
        !r)
        return r;
    return step(LaunchStep::ownership, [&] { return s.apply(s.lowered.ownership); });
}

Result<> Launch::exec() {
    auto& s = *state_;
    return step(LaunchStep::exec, [&]() -> Result<> {
        if (auto done = s.guest->exec(); !done) return done;
        s.opened.clear(); // QEMU has them: a tap ends with its last descriptor
        return {};
    });
}

Result<Report> Launch::verify() const {
    if (auto asked = fault_at(LaunchStep::verify); !asked)
        return std::unexpected(
            std::move(asked).error().during(tr("step '{0}' of the launch", text(LaunchStep::verify))));
    return cloister::verify(state_->plan, state_->lowered, process());
}

Result<> Launch::abandon() {
    auto& s = *state_;
    if (s.guest && s.guest->pidfd()) {
        (void)send_signal(s.guest->pidfd(), SIGKILL); // gone is what we want
        if (!wait_exit(s.guest->pidfd(), s.environment.patience))
            return fail(Code::operation_failed, tr("process {0} does not end", s.guest->id().pid));
    }
    s.guest.reset();
    s.opened.clear();
    s.null = {};
    s.log = {};
    if (auto released = release(s.undo, *s.environment.owners); !released) return released;
    s.helpers.clear(); // ended by the undo list
    s.undo.clear();
    if (auto removed = release(s.until_it_runs, *s.environment.owners); !removed) return removed;
    s.until_it_runs.clear();
    return {};
}

Result<> release(const std::vector<Op>& undo, OwnerBook& owners) {
    Opened none;
    std::optional<Error> first;
    for (const auto& op : undo) {
        // A profile that is to be removed anyway needs no other text first.
        if (const auto* profile = std::get_if<LoadProfile>(&op);
            profile != nullptr && std::ranges::find(undo, Op{RemoveProfile{profile->name}}) != undo.end())
            continue;
        auto done = fault_before(op);
        if (done) done = apply(op, none, owners);
        if (done) continue;
        // A file that went, that is another one now, or that somebody gave away meanwhile: not ours to
        // change.
        const bool files = std::holds_alternative<Chown>(op) || std::holds_alternative<ReturnFile>(op) ||
                           std::holds_alternative<ReturnLabel>(op) || std::holds_alternative<SetMode>(op);
        if (files && (done.error().code == Code::resource_busy || done.error().sys_errno == ENOENT ||
                      done.error().sys_errno == ENOTDIR || done.error().sys_errno == ELOOP))
            continue;
        if (first)
            first->context.push_back(done.error().message);
        else
            first = std::move(done).error();
    }
    if (first) return std::unexpected(std::move(*first));
    return {};
}

Result<HotPlugged> hotplug(const LaunchPlan& running, const DevicePlan& added, const ProcessId& guest,
                           const CgroupLayout& cgroups, const Journal& journal, Opened& opened,
                           OwnerBook& owners) {
    auto all = added;
    if (running.identity.make_apparmor_profile) // its profile is written anew, whole
        all.grants.insert(all.grants.end(), running.grants.begin(), running.grants.end());
    const auto seen = TRY(look(all, cgroups, &owners));
    if (added.bounds) TRY(check_bounds(*added.bounds, seen));
    // The group's own list, as it is in force: what it has is not added, so that an unplug does not take it
    // away.
    auto whole = running;
    whole.grants.clear();
    const auto lowered = TRY(lower(whole, HostLook{.paths = {}, .cgroups = cgroups}));
    const auto list = TRY(read_device_list(lowered.device_backend, lowered.device_group));
    const auto ops =
        TRY(lower_hotplug(running, added, seen, guest, list ? list->rules : std::vector<DeviceRule>{}));
    auto undo = TRY(apply_all(ops, journal, [&](const Op& op) { return apply(op, opened, owners); }));
    return HotPlugged{ops, std::move(undo)};
}

Result<std::vector<Op>> unplug(const LaunchPlan& left, const Lowered& lowered, std::vector<Op> undo,
                               const std::vector<Grant>& released, const ProcessId& guest,
                               const CgroupLayout& cgroups, const OwnerBook& owners) {
    DevicePlan both{.grants = released};
    for (const auto* list : {&left.grants, &left.confinement.base_devices})
        both.grants.insert(both.grants.end(), list->begin(), list->end());
    return lower_unplug(left, lowered, std::move(undo), released, TRY(look(both, cgroups, &owners)), guest);
}

} // namespace cloister
