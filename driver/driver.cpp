#include "driver/driver.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/about.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/guest.hpp"
#include "driver/launch.hpp"
#include "driver/log.hpp"
#include "driver/machines.hpp"
#include "driver/offload.hpp"
#include "driver/op/call.hpp"
#include "driver/parts.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/reconnect.hpp"
#include "driver/stop.hpp"
#include "driver/store/definitions.hpp"
#include "driver/store/files.hpp"
#include "security/cgroup_rules.hpp"
#include "security/kernel/selinux.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

namespace cloister {

// ---- the gate
// -----------------------------------------------------------------------------------------------------

struct Gate::Inside {
    explicit Inside(boost::asio::any_io_executor on) : empty(on) {
        empty.expires_at(boost::asio::steady_timer::time_point::max());
    }
    unsigned count = 0;
    bool closed = false;
    boost::asio::steady_timer empty; ///< cancelled when the last one leaves a closed gate
};

Gate::Gate(boost::asio::any_io_executor on) : inside_(std::make_shared<Inside>(std::move(on))) {}

Gate::Pass::~Pass() {
    if (inside_ && --inside_->count == 0 && inside_->closed) inside_->empty.cancel();
}

Result<Gate::Pass> Gate::enter() {
    if (inside_->closed) return fail(Code::operation_invalid, tr("the daemon is shutting down"));
    ++inside_->count;
    return Pass{inside_};
}

boost::asio::awaitable<void> Gate::close() {
    const auto inside = inside_;
    inside->closed = true;
    if (inside->count == 0) co_return;
    (void)co_await inside->empty.async_wait(
        boost::asio::as_tuple(boost::asio::use_awaitable)); // cancelled: empty
}

// ---- the driver
// ---------------------------------------------------------------------------------------------------

namespace {

std::string beside_this_program(std::string_view path) {
    char name[4096];
    const auto n = ::readlink("/proc/self/exe", name, sizeof name);
    if (n <= 0) return {};
    std::string self(name, static_cast<std::size_t>(n));
    return self.substr(0, self.rfind('/') + 1) + std::string(path);
}

/// The one that was asked for; in a build folder the one that was built along in FOLDER; the installed one.
std::string program(const std::string& wanted, const std::string& folder, const std::string& name,
                    const std::string& installed) {
    if (!wanted.empty()) return wanted;
    for (const std::string& path :
         {beside_this_program(name), beside_this_program("../" + folder + "/" + name),
          beside_this_program("../../../" + folder + "/" + name)})
        if (!path.empty() && store::exists(path)) return path;
    return installed;
}

std::shared_ptr<GuestLogs> guest_logs(const DriverSetup& setup) {
    if (setup.conf.stdio_handler != "logd") return nullptr;
    return std::make_shared<GuestLogs>(GuestLogs::Setup{
        .program = program(setup.logd, "daemon/logd", "cloister-logd", "/usr/libexec/cloister/cloister-logd"),
        .folder = setup.folders.runtime,
        .max_size = setup.daemon.guest_log_max_size,
        .backups = setup.daemon.guest_log_max_backups});
}

/// On a worker: the bus is the reactor's.
Result<> make_machine(Driver& driver, const LaunchPlan& plan, const ProcessId& process) {
    const Machine machine{.name = plan.confinement.cgroup_name,
                          .uuid = plan.uuid,
                          .pid = process.pid,
                          .slice = slice_name(plan.confinement)};
    auto make = [machines = driver.machines(), machine] { return machines->make(machine); };
    return on_reactor(driver.executor(), std::move(make), std::chrono::seconds(40));
}

Result<Fd> locked(const std::string& path) {
    Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return std::unexpected(system_error(errno, tr("cannot create '{0}'", path)));
    if (::flock(file.n(), LOCK_EX | LOCK_NB) < 0)
        return fail(Code::operation_failed,
                    tr("another daemon runs on these folders: '{0}' is locked", path));
    const auto pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(file.n(), 0) < 0 || ::pwrite(file.n(), pid.data(), pid.size(), 0) < 0)
        return std::unexpected(system_error(errno, tr("cannot write '{0}'", path)));
    return file;
}

Result<Fd> made_folders(const Folders& folders) {
    for (const auto* folder : {&folders.definitions, &folders.autostart, &folders.cache, &folders.runtime,
                               &folders.log, &folders.undo})
        TRY(store::make_folder(*folder, 0700));
    TRY(store::make_folder(folders.state, 0751)); // the guests' users pass through it
    return locked(folders.runtime + "/driver.pid");
}

void load_one(Driver& driver, const store::DefinitionText& file) {
    auto domain = read_domain(file.text);
    if (!domain) {
        log(LogLevel::error, fmt::format("'{}' is left out: {}", file.path, full_text(domain.error())));
        return;
    }
    if (!domain->uuid) {
        log(LogLevel::error, fmt::format("'{}' is left out: it has no uuid", file.path));
        return;
    }
    if (domain->name != file.file_name)
        log(LogLevel::warning,
            fmt::format("'{}' defines '{}': it is stored under that name at its next change", file.path,
                        domain->name));
    if (auto clash = driver.registry().matching(domain->name, *domain->uuid); !clash || *clash) {
        log(LogLevel::error, fmt::format("'{}' is left out: its name or uuid is taken", file.path));
        return;
    }
    auto guest =
        std::make_shared<Guest>(driver.executor(), std::make_shared<const Domain>(std::move(*domain)));
    guest->persistent = true;
    guest->autostart = file.autostart;
    guest->bounded = file.bounded;
    driver.registry().add(std::move(guest));
}

/// Once per boot: a daemon that is restarted does not start again what was stopped meanwhile.
Task<void> autostart(Driver* driver) {
    auto pass = driver->gate().enter();
    const auto mark = driver->folders().runtime + "/autostarted";
    if (!pass || store::exists(mark)) co_return;
    if (auto marked = store::write_volatile(mark, ""); !marked)
        log(LogLevel::warning, full_text(marked.error()));
    const auto all = driver->registry().all();
    for (const auto& guest : *all) {
        if (!guest->autostart) continue;
        auto turn = co_await guest->jobs.turn("autostart");
        if (!turn || guest->active() || guest->removed) continue;
        const LaunchOptions options;
        if (auto done = co_await launch(*driver, guest, options); !done)
            log(LogLevel::error, about(*guest, done.error().layer),
                fmt::format("cannot start '{}': {}", guest->name, full_text(done.error())));
    }
}

} // namespace

Driver::Driver(boost::asio::any_io_executor reactor, DriverSetup setup)
    : reactor_(reactor), setup_(std::move(setup)), workers_(setup_.daemon.max_workers), gate_(reactor),
      parts_(std::make_unique<Parts>(reactor)) {
    registry_.limit_queues(setup_.conf.max_queued);
}

Driver::~Driver() {
    workers_.join();
    parts_->probe.reset();
}

boost::asio::awaitable<Result<>> Driver::start() {
    auto& parts = *parts_;
    auto make = [folders = folders()] { return made_folders(folders); };
    CO_TRY(lock, co_await offload(workers_, std::move(make)));
    parts.lock = std::move(lock);
    parts.boot = boot_id();
    parts.launch.helper =
        program(setup_.confine_helper, "security", "cloister-confine", LaunchEnvironment{}.helper);
    parts.guest_logs = guest_logs(setup_);
    auto mounted = [] { return cgroup_layout(); };
    CO_TRY(layout, co_await offload(workers_, std::move(mounted)));
    parts.launch.cgroups = layout;
    if (machines())
        parts.launch.make_machine = [this](const LaunchPlan& plan, const ProcessId& process) {
            return make_machine(*this, plan, process);
        };
    const auto& namespaces = conf().namespaces;
    const bool own_mounts = !namespaces || std::ranges::find(*namespaces, "mount") != namespaces->end();
    auto short_of = [layout, own_mounts] { return host_warnings(layout, own_mounts); };
    for (const auto& warning : co_await offload(workers_, std::move(short_of)))
        log(LogLevel::warning, warning);
    auto read_policy = [] { return selinux_policy(); };
    const auto policy = co_await offload(workers_, std::move(read_policy));
    if (!policy) log(LogLevel::warning, full_text(policy.error()));
    if (policy && *policy)
        if (const auto own = selinux_context((*policy)->daemon)) parts.mcs_range = mcs_range(own->range);
    auto look_up = [conf = conf()] { return ids_of(conf.user, conf.group); };
    auto who = co_await offload(workers_, std::move(look_up));
    if (!who) log(LogLevel::warning, "qemu.conf: " + full_text(who.error()));
    parts.probe =
        std::make_unique<QemuProbe>(workers_, ProbeSetup{.cache = folders().cache,
                                                         .runtime = folders().runtime,
                                                         .helper = parts.launch.helper,
                                                         .runs_as = who ? std::optional(*who) : std::nullopt,
                                                         .try_kvm = !who || kvm_usable(*who)});

    auto load = [folders = folders()] { return store::load_definitions(folders); };
    const auto definitions = co_await offload(workers_, std::move(load));
    for (const auto& bad : definitions.unreadable)
        log(LogLevel::error, fmt::format("'{}' is left out: {}", bad.path, full_text(bad.why)));
    for (const auto& file : definitions.found) load_one(*this, file);
    co_await reconnect_all(*this);
    if (setup_.run_autostart) spawn(reactor_, autostart(this));
    co_return Result<>{};
}

boost::asio::awaitable<void> Driver::shut_down() { co_await gate_.close(); }

void Driver::forget_connection(std::uint64_t connection) {
    const auto all = registry_.all();
    for (const auto& guest : *all) {
        if (!guest->running || guest->running->autodestroy != connection) continue;
        spawn(reactor_, [](Driver* driver, std::shared_ptr<Guest> whose) -> Task<void> {
            auto pass = driver->gate().enter();
            if (auto done = co_await destroy(*driver, whose, Graceful::no); !done)
                log(LogLevel::error,
                    fmt::format("cannot destroy '{}': {}", whose->name, full_text(done.error())));
        }(this, guest));
    }
}

boost::asio::awaitable<Result<std::shared_ptr<const QemuCaps>>> Driver::caps(std::string emulator) {
    co_return co_await parts_->probe->probe(std::move(emulator));
}

std::string Driver::image_reader() const {
    const auto& beside = parts_->launch.helper; // both are installed, and built, in one folder
    return beside.substr(0, beside.rfind('/') + 1) + "cloister-image";
}

boost::asio::awaitable<Result<HostFacts>> Driver::facts(HostQuestions questions) {
    auto look = [conf = conf(), reader = image_reader(), questions = std::move(questions)] {
        return host_facts(conf, questions, reader);
    };
    co_return co_await offload(workers_, std::move(look));
}

} // namespace cloister
