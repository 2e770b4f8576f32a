/// Suite root. What each layer must deny is tried, with the other layers off where they would deny it first.
#include "tests/root/world.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

class OnBackend : public WithBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, OnBackend, ::testing::Values(DeviceBackend::bpf, DeviceBackend::v1),
                         [](const auto& p) { return p.param == DeviceBackend::bpf ? "bpf" : "v1"; });

int make_a_node(const char* path) {
    if (::mknod(path, S_IFCHR | 0600, makedev(1, 3)) < 0) return errno;
    ::unlink(path);
    return 0;
}
int open_for_writing(const char* path) {
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    ::close(fd);
    return 0;
}

TEST_P(OnBackend, RootInTheGuestsGroupOpensOnlyThePlannedDevices) {
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment(GetParam()));
    const auto& lowered = launch.lowered();
    for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/ptmx"})
        EXPECT_EQ(inside_groups(lowered, open_for_reading, path), 0) << path;
    for (const char* path :
         {"/dev/fuse", "/dev/loop-control", "/dev/loop0", "/dev/kmsg", "/dev/vda", "/dev/tty", "/dev/mem"})
        if (::access(path, F_OK) == 0) {
            EXPECT_EQ(inside_groups(lowered, open_for_reading, path), EPERM) << path;
        }
    EXPECT_EQ(inside_groups(lowered, make_a_node, world.path("node").c_str()), EPERM)
        << "no right to make nodes";
    end(launch);
}

TEST_P(OnBackend, AReadOnlyDeviceCannotBeWritten) {
    const World world;
    auto plan = world.probing({"wait"});
    plan.grants = {{.path = "/dev/loop7",
                    .kind = Kind::block_device,
                    .access = Access::read,
                    .why = "disk vda, read-only"}};
    plan.identity.relabel_dac = false;
    if (::access("/dev/loop7", F_OK) != 0) GTEST_SKIP() << "no loop devices";
    auto launch = launched(plan, world.environment(GetParam()));
    EXPECT_NE(inside_groups(launch.lowered(), open_for_reading, "/dev/loop7"), EPERM);
    EXPECT_EQ(inside_groups(launch.lowered(), open_for_writing, "/dev/loop7"), EPERM);
    end(launch);
}

TEST_P(OnBackend, ABlockDeviceIsNotACharacterDeviceOfTheSameNumber) {
    const World world;
    const auto block = world.path("block"); // b 1:3, where c 1:3 is /dev/null
    ASSERT_EQ(::mknod(block.c_str(), S_IFBLK | 0666, makedev(1, 3)), 0);
    auto launch = launched(world.probing({"wait"}), world.environment(GetParam()));
    EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, block.c_str()), EPERM);
    EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, "/dev/null"), 0);
    end(launch);
}

/// A21: not there / not allowed / there and allowed, with a device that the mode bits give to everybody.
class Opaque : public ::testing::Test {
protected:
    void SetUp() override {
        if (::access(device, F_OK) != 0) GTEST_SKIP() << "no /dev/fuse";
    }
    std::string tried(LaunchPlan plan, DeviceBackend backend) {
        auto launch = launched(plan, world.environment(backend));
        finished(launch);
        auto log = world.log(plan);
        end(launch);
        ::unlink(plan.paths.log.c_str());
        return log;
    }
    static constexpr const char* device = "/dev/fuse";
    const World world;
};

TEST_F(Opaque, ADeviceNamedByPassthroughOnlyIsDeniedByTwoLayersAndGrantedByAGrant) {
    for (const auto backend : backends()) {
        auto plan = world.probing({"open", device});
        EXPECT_EQ(tried(plan, backend), "/dev/fuse: No such file or directory\n");
        plan.confinement.mount_namespace = false;
        EXPECT_EQ(tried(plan, backend), "/dev/fuse: Operation not permitted\n");
        plan.confinement.mount_namespace = true;
        plan.grants = {{.path = device,
                        .kind = Kind::char_device,
                        .access = Access::read_write,
                        .sharing = Sharing::shared,
                        .why = "confine:device"}};
        EXPECT_EQ(tried(plan, backend), "/dev/fuse: ok\n");
    }
}

TEST_F(Opaque, ARealQemuIsToldTheSame) {
    auto plan = world.qemu();
    plan.items.push_back({"drive", "if=none,id=d,format=raw,file=/dev/loop7", "qemu:arg 3"});
    EXPECT_NE(tried(plan, DeviceBackend::bpf).find("'/dev/loop7': No such file or directory"),
              std::string::npos);
    plan.confinement.mount_namespace = false;
    plan.identity.uid = plan.identity.gid = 0; // so that the mode bits do not speak first
    plan.identity.groups = {0};
    for (const auto backend : backends())
        EXPECT_NE(tried(plan, backend).find("'/dev/loop7': Operation not permitted"), std::string::npos);
}

TEST_F(Opaque, AFileNamedByPassthroughOnlyKeepsItsOwnerAndIsDenied) {
    const auto secret = world.path("secret.img");
    write_all(secret, std::string(65536, 's'));
    ::chmod(secret.c_str(), 0600);
    auto plan = world.qemu();
    plan.items.push_back({"drive", "if=none,id=d,format=raw,file=" + secret, "qemu:arg 1"});
    EXPECT_NE(tried(plan, DeviceBackend::bpf).find("'" + secret + "': Permission denied"), std::string::npos);
    struct stat found{};
    ASSERT_EQ(::stat(secret.c_str(), &found), 0);
    EXPECT_EQ(found.st_uid, 0U);
}

TEST(DevOfTheGuest, NothingOnItCanBeExecuted) {
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment());
    const auto mounts = read_all("/proc/" + std::to_string(launch.process().pid) + "/mounts");
    const auto line = mounts.substr(std::min(mounts.find("devfs /dev tmpfs rw,"), mounts.size()));
    EXPECT_NE(line.substr(0, line.find('\n')).find("nosuid,noexec,"), std::string::npos) << mounts;
    end(launch);
}

// ---- seccomp: ours
// ------------------------------------------------------------------------------------------

ExitStatus attempted(const World& world, const std::string& call, bool filtered, std::string& said) {
    auto plan = world.probing({"syscall", call});
    plan.confinement.own_seccomp = filtered;
    plan.confinement.landlock = false; // it refuses some of these too
    auto launch = launched(plan, world.environment());
    const auto status = finished(launch);
    said = world.log(plan);
    end(launch);
    ::unlink(plan.paths.log.c_str());
    return status;
}

class Killed : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Calls, Killed,
                         ::testing::Values("init_module", "kexec_load", "bpf", "mount", "umount2", "chroot",
                                           "setns", "ptrace", "process_vm_readv", "reboot",
                                           "open_by_handle_at", "i386"),
                         [](const auto& p) { return std::string(p.param); });
TEST_P(Killed, EndsByTheFilterAndNotWithoutIt) {
    const World world;
    std::string said;
    const auto status = attempted(world, GetParam(), true, said);
    EXPECT_EQ(status.signal, SIGSYS) << said;
    EXPECT_EQ(attempted(world, GetParam(), false, said).signal, 0) << said;
}

TEST(Seccomp, RefusesWhatLibrariesTryAndCopeWith) {
    const World world;
    std::string said;
    for (const std::string call : {"perf_event_open", "keyctl", "unshare", "clone"}) {
        EXPECT_EQ(attempted(world, call, true, said).signal, 0);
        EXPECT_EQ(said, call + ": Operation not permitted\n");
    }
    attempted(world, "clone3", true, said);
    EXPECT_EQ(said, "clone3: Function not implemented\n");
    attempted(world, "getpid", true, said);
    EXPECT_EQ(said, "getpid: ok\n");
}

TEST(Seccomp, ThreadsAndProgramsStillStart) {
    const World world;
    auto plan = world.probing({"thread"});
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(finished(launch).code, 0);
    EXPECT_EQ(world.log(plan), "thread: ok\n");
    end(launch);
    plan = world.probing({"spawn"}, "s");
    launch = launched(plan, world.environment());
    finished(launch);
    EXPECT_EQ(world.log(plan), "spawn: 0\n") << "spawning is QEMU's own filter's to deny";
    end(launch);
}

TEST(Seccomp, QemusOwnFilterKillsASpawn) {
    const World world;
    auto plan = world.qemu();
    // opens /dev/net/tun first, so the device is granted; the script is what must not run
    plan.grants = {{.path = "/dev/net/tun",
                    .kind = Kind::char_device,
                    .access = Access::read_write,
                    .sharing = Sharing::shared,
                    .why = "test"}};
    plan.confinement.kept_capabilities = {"net_admin"};
    plan.items.push_back({"netdev", "tap,id=n,script=/bin/true,downscript=no", "qemu:arg 1"});
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(finished(launch).signal, SIGSYS) << world.log(plan);
    end(launch);
}

// ---- Landlock: guests from each other
// -----------------------------------------------------------------------

/// Waits until the program's log has `word`; false at the deadline.
bool said(const World& world, const LaunchPlan& plan, const std::string& word) {
    const int watch = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    ::inotify_add_watch(watch, plan.paths.log.c_str(), IN_MODIFY);
    pollfd ready{watch, POLLIN, 0};
    bool found = false;
    while (!(found = world.log(plan).find(word) != std::string::npos) && ::poll(&ready, 1, 10000) == 1) {
        char events[4096];
        while (::read(watch, events, sizeof events) > 0) {
        }
    }
    ::close(watch);
    return found;
}

std::string attack(const World& world, bool landlock) {
    const auto socket = "cloister-walls-" + std::to_string(::getpid());
    auto victim_plan = world.probing({"wait", socket}, "victim");
    victim_plan.confinement.landlock = landlock;
    // Our filter would kill who tries some of this before Landlock speaks.
    victim_plan.confinement.own_seccomp = false;
    auto victim = launched(victim_plan, world.environment());
    EXPECT_TRUE(said(world, victim_plan, "waiting"));
    auto plan = world.probing({"attack", std::to_string(victim.process().pid), socket}, "attacker");
    plan.confinement.landlock = landlock;
    plan.confinement.own_seccomp = false;
    auto attacker = launched(plan, world.environment());
    finished(attacker);
    const auto log = world.log(plan);
    EXPECT_FALSE(wait_exit(victim.pidfd(), std::chrono::milliseconds(0)));
    end(attacker);
    end(victim);
    ::unlink(plan.paths.log.c_str());
    ::unlink(victim_plan.paths.log.c_str());
    return log;
}

TEST(Landlock, AGuestCanNeitherTraceNorReadNorSignalAnother) {
    const World world;
    const std::string inside =
        landlock_keeps_signals() ? "Operation not permitted\n" : "ok\n"; // and says so in its notes
    EXPECT_EQ(attack(world, true),
              "ptrace: Permission denied\nmem: Permission denied\nroot: Permission denied\n"
              "environ: Permission denied\nfd: Permission denied\npidfd: Operation not permitted\n"
              "kill: " +
                  inside + "abstract: " + inside + "own thread: ok\n");
    // Without it, every one of them succeeds: they share a uid.
    EXPECT_EQ(attack(world, false),
              "ptrace: ok\nmem: ok\nroot: ok\nenviron: ok\nfd: ok\npidfd: ok\nkill: ok\nabstract: ok\n"
              "own thread: ok\n");
}

TEST(Landlock, ARealQemuIsOutOfAnotherGuestsReach) {
    const World world;
    const auto victim_plan = world.qemu("victim");
    auto victim = launched(victim_plan, world.environment());
    ASSERT_TRUE(greeted(victim_plan)) << world.log(victim_plan);
    const auto plan = world.probing({"attack", std::to_string(victim.process().pid)}, "attacker");
    auto attacker = launched(plan, world.environment());
    finished(attacker);
    EXPECT_EQ(world.log(plan), "ptrace: Permission denied\nmem: Permission denied\nroot: Permission denied\n"
                               "environ: Permission denied\nfd: Permission denied\npidfd: Bad system call\n"
                               "kill: " +
                                   std::string(landlock_keeps_signals() ? "Operation not permitted" : "ok") +
                                   "\nown thread: ok\n");
    EXPECT_FALSE(wait_exit(victim.pidfd(), std::chrono::milliseconds(0)));
    const auto report = victim.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(attacker);
    end(victim);
}

// ---- limits
// --------------------------------------------------------------------------------------------------

TEST(Limits, AreTheKernels) {
    const World world;
    auto plan = world.probing({"wait"});
    plan.confinement.limits = {.memlock = 65536, .processes = 111, .files = 222, .threads = 33, .core = 0};
    auto launch = launched(plan, world.environment());
    const auto limits = read_all("/proc/" + std::to_string(launch.process().pid) + "/limits");
    EXPECT_NE(limits.find("Max processes             111                  111"), std::string::npos);
    EXPECT_NE(limits.find("Max open files            222                  222"), std::string::npos);
    EXPECT_NE(limits.find("Max locked memory         65536                65536"), std::string::npos);
    EXPECT_NE(limits.find("Max core file size        0                    0"), std::string::npos);
    std::string group;
    for (const auto& one : launch.lowered().groups)
        if (one.find("/pids/") != std::string::npos) group = one;
    if (group.empty()) group = launch.lowered().cgroup_v2;
    EXPECT_EQ(read_all(group + "/pids.max"), "33\n");
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

} // namespace
} // namespace cloister::root_test
