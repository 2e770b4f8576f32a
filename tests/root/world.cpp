#include "tests/root/world.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sched.h>
#include <set>
#include <sstream>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister::root_test {
namespace fs = std::filesystem;

namespace {
std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
}
} // namespace

std::string helper() { return variable("CLOISTER_CONFINE"); }
std::string probe() { return variable("CLOISTER_PROBE"); }

std::string read_all(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}
void write_all(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

World::World() {
    std::string name = "/tmp/cloister-root-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    ::chmod(folder_.c_str(), 0711);
    partition_ = "cloister-test-" + std::to_string(::getpid());
}

World::~World() {
    std::error_code gone;
    fs::remove_all(folder_, gone);
    const auto layout = cgroup_layout();
    if (!layout) return;
    for (const auto& hierarchy : layout->hierarchies) {
        // A test that failed in the middle leaves its guest; nobody else is in this partition.
        const auto partition = hierarchy.mount + "/" + partition_ + ".partition";
        std::vector<std::string> groups{partition};
        for (const auto& entry : fs::recursive_directory_iterator(partition, gone))
            if (entry.is_directory()) groups.push_back(entry.path());
        for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
            std::istringstream processes(read_all(*group + "/cgroup.procs"));
            for (pid_t pid = 0; processes >> pid;) {
                ::kill(pid, SIGKILL);
                ::waitpid(pid, nullptr, 0);
            }
            ::rmdir(group->c_str());
        }
    }
}

LaunchEnvironment World::environment() const {
    return {.helper = helper(), .cgroups = cgroup_layout().value(), .patience = std::chrono::seconds(10)};
}

LaunchEnvironment World::environment(DeviceBackend backend) const {
    auto out = environment();
    if (backend == DeviceBackend::v1)
        std::erase_if(out.cgroups.hierarchies, [](const auto& h) { return h.v2; });
    return out;
}

std::vector<DeviceBackend> backends() {
    std::vector<DeviceBackend> out;
    const auto layout = cgroup_layout().value();
    const auto has = [](const CgroupHierarchy& h, const char* name) {
        return std::ranges::find(h.controllers, name) != h.controllers.end();
    };
    if (std::ranges::any_of(layout.hierarchies, &CgroupHierarchy::v2)) out.push_back(DeviceBackend::bpf);
    if (std::ranges::any_of(layout.hierarchies, [&](const auto& h) { return !h.v2 && has(h, "devices"); }))
        out.push_back(DeviceBackend::v1);
    return out;
}

void WithBackend::SetUp() {
    const auto here = backends();
    if (std::ranges::find(here, GetParam()) == here.end()) GTEST_SKIP() << without_v1;
}

bool landlock_keeps_signals() {
    constexpr unsigned version = 1; // LANDLOCK_CREATE_RULESET_VERSION
    return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, version) >= 6;
}

LaunchPlan World::plan(const std::string& name) const {
    LaunchPlan out;
    out.name = name;
    out.id = 1;
    out.identity = {.uid = guest_uid, .gid = guest_gid, .groups = {guest_gid}, .why = "qemu.conf user"};
    for (const char* device :
         {"/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"})
        out.confinement.base_devices.push_back({.path = device,
                                                .kind = Kind::char_device,
                                                .access = Access::read_write,
                                                .sharing = Sharing::shared,
                                                .keep_owner = true,
                                                .optional = true,
                                                .why = "qemu.conf cgroup_device_acl"});
    out.confinement.cgroup_name = "qemu-1-" + name;
    out.confinement.cgroup_partition = "/" + partition_;
    out.env = {{"LC_ALL", "C", "default"}, {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "default"}};
    out.paths = {.state_dir = path("domain-1-" + name),
                 .monitor = path("monitor-" + name + "/monitor.sock"),
                 .log = path("log/" + name + ".log")};
    out.directories = {{out.paths.state_dir, 0750, true}, {path("monitor-" + name), 0700, false}};
    return out;
}

LaunchPlan World::qemu(const std::string& name) const {
    auto out = plan(name);
    out.emulator = "/usr/bin/qemu-system-x86_64";
    const auto add = [&](const char* option, std::string value) {
        out.items.push_back({option, std::move(value), "test"});
    };
    add("name", "guest=" + name + ",debug-threads=on");
    out.items.push_back({"S", {}, "test"});
    add("machine", "none,accel=tcg");
    out.items.push_back({"nodefaults", {}, "test"});
    out.items.push_back({"no-user-config", {}, "test"});
    add("display", "none");
    add("chardev", "socket,id=charmonitor,fd=" + fd_symbol("monitor") + ",server=on,wait=off");
    add("mon", "chardev=charmonitor,id=monitor,mode=control");
    add("sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    out.descriptors = {{"monitor", ListenSocket{out.paths.monitor, false}, "monitor"}};
    return out;
}

LaunchPlan World::probing(const std::vector<std::string>& words, const std::string& name) const {
    auto out = plan(name);
    out.emulator = probe();
    for (const auto& word : words) out.items.push_back({"", word, "test"});
    out.confinement.qemu_seccomp = false; // the probe installs no filter itself
    return out;
}

std::string text(const Error& error) {
    auto out = full_text(error);
    for (const auto& line : error.context) out += "\n  " + line;
    return out;
}

Launch launched(const LaunchPlan& plan, const LaunchEnvironment& environment) {
    auto launch = Launch::prepare(plan, environment, {});
    if (!launch) throw std::runtime_error(text(launch.error()));
    for (auto step : {&Launch::spawn, &Launch::confine, &Launch::exec})
        if (auto done = ((*launch).*step)(); !done) {
            const auto why = text(done.error());
            (void)launch->abandon();
            throw std::runtime_error(why);
        }
    return std::move(*launch);
}

void end(Launch& launch) {
    const auto ended = launch.abandon();
    EXPECT_TRUE(ended) << text(ended.error());
}

ExitStatus finished(Launch& launch) {
    const auto status = wait_exit(launch.pidfd(), std::chrono::seconds(20));
    EXPECT_TRUE(status) << "the program does not end";
    return status.value_or(ExitStatus{});
}

bool greeted(const LaunchPlan& plan) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    plan.paths.monitor.copy(address.sun_path, sizeof address.sun_path - 1);
    std::string got;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        pollfd ready{fd, POLLIN, 0};
        while (got.find('\n') == std::string::npos && ::poll(&ready, 1, 20000) == 1) {
            char buffer[4096];
            const auto size = ::read(fd, buffer, sizeof buffer);
            if (size <= 0) break;
            got.append(buffer, static_cast<std::size_t>(size));
        }
        // An answer to a command: the main loop runs, so the sandbox is in place.
        const std::string hello = "{\"execute\":\"qmp_capabilities\"}\n";
        if (::write(fd, hello.data(), hello.size()) > 0)
            for (got.clear(); got.find("return") == std::string::npos && ::poll(&ready, 1, 20000) == 1;) {
                char buffer[4096];
                const auto size = ::read(fd, buffer, sizeof buffer);
                if (size <= 0) break;
                got.append(buffer, static_cast<std::size_t>(size));
            }
    }
    ::close(fd);
    return got.find("return") != std::string::npos;
}

std::string snapshot(const World& world) {
    std::ostringstream out;
    out << "mounts\n" << read_all("/proc/self/mounts");
    const auto layout = cgroup_layout().value();
    for (const auto& hierarchy : layout.hierarchies) {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(hierarchy.mount))
            if (entry.path().filename().string().find("cloister-test-" + std::to_string(::getpid())) == 0)
                for (const auto& below : fs::recursive_directory_iterator(entry.path()))
                    if (below.is_directory()) names.insert(below.path());
        for (const auto& name : names) out << "group " << name << "\n";
    }
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(world.folder())) files.insert(entry.path());
    for (const auto& file : files) {
        struct stat found{};
        ::lstat(file.c_str(), &found);
        if (file.find("/log") != std::string::npos) continue; // a log stays
        out << file << " " << found.st_uid << ":" << found.st_gid << " " << std::oct << found.st_mode
            << std::dec << "\n";
    }
    out << "children " << read_all("/proc/thread-self/children") << "\n";
    out << "interfaces\n";
    for (const auto& entry : fs::directory_iterator("/proc/self/net/dev_snmp6")) out << entry.path() << "\n";
    int descriptors = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++descriptors;
    out << "descriptors " << descriptors << "\n";
    return out.str();
}

int open_for_reading(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return errno;
    ::close(fd);
    return 0;
}

int inside_groups(const Lowered& lowered, int (*work)(const char*), const char* argument) {
    auto groups = lowered.groups;
    if (!lowered.cgroup_v2.empty()) groups.push_back(lowered.cgroup_v2);
    const pid_t child = ::fork();
    if (child == 0) {
        for (const auto& group : groups) {
            const int fd = ::open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
            if (fd < 0 || ::write(fd, "0", 1) != 1) ::_exit(255);
            ::close(fd);
        }
        ::_exit(work(argument));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

} // namespace cloister::root_test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    if (::geteuid() != 0) {
        std::puts("SKIPPED: the root suite needs root: it launches real guests");
        return 77;
    }
    if (cloister::root_test::helper().empty()) {
        std::puts("SKIPPED: CLOISTER_CONFINE does not say where the launch helper is");
        return 77;
    }
    // A world of our own: mounts and interfaces that a test makes end with this process.
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
        std::perror("a world of its own");
        return 1;
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    ::umask(077);
    return RUN_ALL_TESTS();
}
