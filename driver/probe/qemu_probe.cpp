#include "driver/probe/qemu_probe.hpp"

#include "conf/base/tr.hpp"
#include "driver/caps/caps_json.hpp"
#include "driver/caps/decode.hpp"
#include "driver/offload.hpp"
#include "driver/probe/sysfs.hpp"
#include "driver/qmp/client.hpp"
#include "security/kernel/launch.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <vector>

namespace cloister {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto done = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t largest_cache = 16 << 20;
constexpr auto patience = 20s;

std::string stamp(const timespec& time) {
    return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

/// Everything that an answer depends on. The binary by what stat says of it; its modules by their folders;
/// the host because the CPU models depend on it.
Result<std::string> key_of(const std::string& path, const ProbeSetup& setup) {
    struct stat file{};
    if (::stat(path.c_str(), &file) < 0)
        return std::unexpected(system_error(errno, tr("Cannot check QEMU binary {0}", path)));
    if (!S_ISREG(file.st_mode) || ::access(path.c_str(), X_OK) < 0)
        return std::unexpected(system_error(S_ISREG(file.st_mode) ? EACCES : EISDIR,
                                            tr("QEMU binary {0} is not executable", path)));
    auto key = path + "|" + std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino) + "|" +
               std::to_string(file.st_size) + "|" + stamp(file.st_mtim) + "|" + stamp(file.st_ctim);
    for (const auto* modules : {"/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib64/qemu", "/usr/lib/qemu"})
        if (struct stat folder{}; ::stat(modules, &folder) == 0) key += "|" + stamp(folder.st_mtim);
    utsname kernel{};
    ::uname(&kernel);
    key += std::string("|") + kernel.release + "|" + (setup.try_kvm ? "kvm" : "tcg");
    if (setup.try_kvm) {
        const auto cpu = file_text("/proc/cpuinfo", 8192).value_or("");
        for (const auto line : split(cpu, '\n')) {
            if (line.empty()) break;
            for (const auto* name : {"model\t", "cpu family", "stepping", "microcode", "flags"})
                if (line.starts_with(name)) key += "|" + std::to_string(std::hash<std::string_view>()(line));
        }
        key += "|" + file_line("/sys/module/kvm_intel/parameters/nested") +
               file_line("/sys/module/kvm_amd/parameters/nested");
    }
    return key;
}

std::string cache_file(const ProbeSetup& setup, const std::string& path) {
    std::string name = path.substr(1);
    std::ranges::replace(name, '/', '_');
    if (name.size() > 200) name = std::to_string(std::hash<std::string>()(path));
    return setup.cache + "/" + name + ".caps.json";
}

std::optional<QemuCaps> cached(const ProbeSetup& setup, const std::string& path, const std::string& key) {
    const auto text = file_text(cache_file(setup, path), largest_cache);
    return text ? caps_from(*text, key) : std::nullopt;
}

/// A cache that cannot be written costs the next start of the daemon a probe, nothing else.
void remember(const ProbeSetup& setup, const std::string& path, const std::string& text) {
    for (std::size_t slash = setup.cache.find('/', 1);; slash = setup.cache.find('/', slash + 1)) {
        (void)::mkdir(setup.cache.substr(0, slash).c_str(), 0755); // exists, mostly
        if (slash == std::string::npos) break;
    }
    const auto name = cache_file(setup, path), fresh = name + ".new";
    const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file || ::write(file.n(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::rename(fresh.c_str(), name.c_str()) < 0)
        (void)::unlink(fresh.c_str());
}

/// A stopped QEMU without a machine, confined like a guest's but for what takes time: it opens nothing and is
/// never told to run.
LaunchPlan plan_of(const std::string& path, const ProbeSetup& setup, bool kvm) {
    static std::atomic<unsigned> count = 0;
    const auto folder =
        setup.runtime + "/probe-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    LaunchPlan plan{.name = "probe", .emulator = path};
    const auto item = [&](std::string option, std::string value) {
        plan.items.push_back({std::move(option), std::move(value), "probe"});
    };
    plan.items.push_back({"S", {}, "probe"});
    plan.items.push_back({"no-user-config", {}, "probe"});
    plan.items.push_back({"nodefaults", {}, "probe"});
    plan.items.push_back({"nographic", {}, "probe"});
    item("machine", kvm ? "none,accel=kvm:tcg" : "none,accel=tcg");
    item("chardev", "socket,id=m,fd=" + fd_symbol("monitor") + ",server=on,wait=off");
    item("mon", "chardev=m,mode=control");
    plan.env = {{"LC_ALL", "C", "probe"},
                {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "probe"}};
    plan.paths.monitor = folder + "/monitor.sock";
    plan.paths.log = "/dev/null";
    plan.directories.push_back({.path = folder, .mode = 0700, .guest_owned = false});
    plan.descriptors.push_back({"monitor", ListenSocket{.path = plan.paths.monitor}, "probe"});
    plan.identity.set_ids = setup.runs_as.has_value();
    if (setup.runs_as) {
        plan.identity.uid = setup.runs_as->uid;
        plan.identity.gid = setup.runs_as->gid;
        plan.identity.groups = setup.runs_as->groups;
    }
    plan.identity.relabel_dac = false;
    plan.confinement.mount_namespace = false;
    plan.confinement.device_acl = false;
    plan.confinement.use_cgroups = false;
    return plan;
}

/// A QEMU that is there to be asked; ended and forgotten with end().
struct Asked {
    std::optional<Launch> launch{};
    Fd output{}; ///< what it prints
    std::string monitor{};

    std::string printed() const {
        std::string text(4096, '\0');
        const auto n = ::pread(output.n(), text.data(), text.size(), 0);
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        while (text.ends_with('\n')) text.pop_back();
        return text;
    }
    void end() {
        if (launch) (void)launch->abandon(); // what stays is an empty folder below the runtime folder
        launch.reset();
    }
};

Result<std::shared_ptr<Asked>> started(const std::string& path, const ProbeSetup& setup, bool kvm) {
    auto asked = std::make_shared<Asked>();
    asked->output = Fd(::memfd_create("cloister-probe", MFD_CLOEXEC));
    const auto plan = plan_of(path, setup, kvm);
    asked->monitor = plan.paths.monitor;
    LaunchEnvironment environment{.helper = setup.helper, .log_fd = asked->output.n()};
    auto launch = Launch::prepare(plan, environment, [](const std::vector<Op>&) -> Result<> { return {}; });
    if (!launch) return std::unexpected(std::move(launch).error());
    asked->launch = *std::move(launch);
    for (const auto step : {&Launch::spawn, &Launch::confine, &Launch::exec})
        if (auto ok = (*asked->launch.*step)(); !ok) {
            auto error = std::move(ok).error();
            if (const auto said = asked->printed(); !said.empty()) error.message += ": " + said;
            asked->end();
            return std::unexpected(std::move(error));
        }
    return asked;
}

/// Connects, unless QEMU ends first.
Task<Result<std::shared_ptr<Monitor>>> reached(std::shared_ptr<Asked> asked) {
    const auto executor = co_await asio::this_coro::executor;
    asio::cancellation_signal give_up;
    asio::posix::stream_descriptor ended(executor, asked->launch->pidfd().copy().release());
    ended.async_wait(asio::posix::stream_descriptor::wait_read, [&give_up](boost::system::error_code error) {
        if (!error) give_up.emit(asio::cancellation_type::all);
    });
    auto monitor = co_await asio::co_spawn(executor, Monitor::connect(asked->monitor, {}, patience),
                                           asio::bind_cancellation_slot(give_up.slot(), asio::use_awaitable));
    boost::system::error_code ignored;
    ended.close(ignored);
    co_return monitor;
}

Task<Result<>> converse(std::shared_ptr<Monitor> monitor, std::vector<Exchange> questions,
                        Conversation& into) {
    std::vector<Monitor::Sent> sent;
    for (const auto& one : questions) sent.push_back(monitor->send(one.command, one.arguments, patience));
    for (std::size_t i = 0; i < sent.size(); ++i) {
        auto answer = co_await sent[i].answer();
        if (answer)
            questions[i].returned = *std::move(answer);
        else if (qmp::error_class(answer.error()).empty())
            co_return std::unexpected(std::move(answer).error());
        into.push_back(std::move(questions[i]));
    }
    co_return Result<>{};
}

} // namespace

struct QemuProbe::State {
    struct Known {
        std::string key{};
        std::shared_ptr<const QemuCaps> caps{};
    };
    struct Waiting {
        asio::steady_timer over;
        Result<std::shared_ptr<const QemuCaps>> answer{};
    };
    asio::thread_pool& workers;
    ProbeSetup setup;
    std::map<std::string, Known> known{};
    std::map<std::string, std::shared_ptr<Waiting>> asking{};

    static Task<Result<Conversation>> ask(std::shared_ptr<State> self, std::string path, bool kvm,
                                          bool whole) {
        // Named, not written into the call: g++ 12 can break the captures of a lambda inside a co_await.
        auto start = [path, setup = self->setup, kvm] { return started(path, setup, kvm); };
        auto begun = co_await offload(self->workers, std::move(start));
        if (!begun) {
            auto error = std::move(begun).error();
            co_return fail(Code::internal,
                           tr("Failed to start QEMU binary {0} for probing: {1}", path, error.message));
        }
        const auto asked = *begun;
        Conversation out;
        Result<> went{};
        auto monitor = co_await reached(asked);
        if (monitor) {
            went = co_await converse(*monitor, questions(whole), out);
            if (went) went = co_await converse(*monitor, model_questions(out), out);
            (*monitor)->close(
                Error{.code = Code::operation_aborted, .message = tr("the QEMU monitor was closed")});
        } else {
            went = std::unexpected(std::move(monitor).error());
        }
        auto finish = [asked] {
            asked->end();
            return true;
        };
        co_await offload(self->workers, std::move(finish));
        if (went) co_return out;
        auto said = asked->printed();
        if (said.empty()) said = went.error().message;
        co_return fail(Code::internal, tr("Failed to probe QEMU binary with QMP: {0}", said));
    }

    static Task<Result<QemuCaps>> asked(std::shared_ptr<State> self, std::string path) {
        const bool kvm = self->setup.try_kvm;
        CO_TRY(first, co_await ask(self, path, kvm, true));
        auto caps = decode(first, {}, path);
        if (!caps || !caps->kvm) co_return caps;
        CO_TRY(tcg, co_await ask(self, path, false, false));
        co_return decode(first, tcg, path);
    }

    static Task<Result<std::shared_ptr<const QemuCaps>>> find(std::shared_ptr<State> self, std::string path) {
        struct Looked {
            std::string key{};
            std::optional<QemuCaps> caps{};
        };
        const auto had = self->known.find(path);
        const std::string old = had == self->known.end() ? std::string() : had->second.key;
        auto look = [path, setup = self->setup, old]() -> Result<Looked> {
            Looked out{.key = TRY(key_of(path, setup))};
            if (out.key != old) out.caps = cached(setup, path, out.key);
            return out;
        };
        auto looked = co_await offload(self->workers, std::move(look));
        if (!looked) co_return std::unexpected(std::move(looked).error());
        if (const auto now = self->known.find(path);
            now != self->known.end() && now->second.key == looked->key)
            co_return now->second.caps;
        if (!looked->caps) {
            CO_TRY(caps, co_await asked(self, path));
            looked->caps = std::move(caps);
            auto save = [setup = self->setup, path, text = caps_text(*looked->caps, looked->key)] {
                remember(setup, path, text);
                return true;
            };
            co_await offload(self->workers, std::move(save));
        }
        auto caps = std::make_shared<const QemuCaps>(*std::move(looked->caps));
        self->known[path] = {std::move(looked->key), caps};
        co_return caps;
    }
};

QemuProbe::QemuProbe(asio::thread_pool& workers, ProbeSetup setup)
    : state_(std::make_shared<State>(State{.workers = workers, .setup = std::move(setup)})) {}
QemuProbe::~QemuProbe() = default;

Task<Result<std::shared_ptr<const QemuCaps>>> QemuProbe::probe(std::string path) {
    const auto state = state_;
    if (path.empty() || path.front() != '/')
        co_return std::unexpected(system_error(ENOENT, tr("Cannot check QEMU binary {0}", path)));
    if (const auto found = state->asking.find(path); found != state->asking.end()) {
        const auto shared = found->second;
        co_await shared->over.async_wait(done);
        co_return shared->answer;
    }
    const auto executor = co_await asio::this_coro::executor;
    const auto mine = std::make_shared<State::Waiting>(State::Waiting{
        .over = asio::steady_timer(executor, asio::steady_timer::time_point::max()),
        .answer = fail(Code::operation_aborted, tr("asking '{0}' what it can do was cancelled", path))});
    state->asking.emplace(path, mine);
    // On its own: it goes on when the caller who came first is cancelled.
    auto task = [](std::shared_ptr<State> self, std::shared_ptr<State::Waiting> waiting,
                   std::string asked) -> Task<void> {
        waiting->answer = co_await State::find(self, asked);
        self->asking.erase(asked);
        waiting->over.cancel();
    };
    asio::co_spawn(executor, task(state, mine, path), [](const std::exception_ptr& bug) {
        if (bug) std::rethrow_exception(bug);
    });
    co_await mine->over.async_wait(done);
    co_return mine->answer;
}

} // namespace cloister
