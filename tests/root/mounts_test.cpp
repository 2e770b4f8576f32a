/// Suite root. What a real QEMU sees of the host's mounts: those of /dev come along, later ones arrive and
/// go, nothing gets out. The tests have a mount namespace of their own: what they share ends with it.
#include "security/kernel/facts.hpp"
#include "security/kernel/mounts.hpp"
#include "tests/root/world.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sched.h>
#include <set>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

bool mounted_in(const std::string& process, const std::string& point) {
    const auto all = mounts(process);
    EXPECT_TRUE(all);
    return all && std::ranges::any_of(*all, [&](const Mount& m) { return m.point == point; });
}
std::string id(const Launch& launch) { return std::to_string(launch.process().pid); }

/// Runs `work` in a child inside the mount namespace of another process; what it returns.
int inside_mounts_of(const std::string& process, const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        const int ns = ::open(("/proc/" + process + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC);
        if (ns < 0 || ::setns(ns, CLONE_NEWNS) < 0) ::_exit(255);
        ::_exit(work());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

class Propagation : public ::testing::Test {
protected:
    void share(unsigned long how) {
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | how, nullptr), 0);
        ASSERT_EQ(root_is_shared(), how == MS_SHARED);
    }
    void SetUp() override {
        ASSERT_EQ(::mkdir(point.c_str(), 0755), 0);
        ASSERT_EQ(::mkdir(inner.c_str(), 0755), 0);
    }
    void TearDown() override {
        (void)::umount2(point.c_str(), MNT_DETACH); // there only when a test failed
        share(MS_PRIVATE);
    }
    const World world;
    const std::string point = world.path("point"), inner = world.path("inner");
};

TEST_F(Propagation, OfASharedHostArrivesInARunningQemuAndGoesAgain) {
    share(MS_SHARED);
    const auto plan = world.qemu();
    auto launch = launched(plan, world.environment());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);

    ASSERT_EQ(::mount("later", point.c_str(), "tmpfs", 0, "mode=755"), 0);
    write_all(point + "/file", "content");
    EXPECT_TRUE(mounted_in(id(launch), point));
    EXPECT_EQ(read_all("/proc/" + id(launch) + "/root" + point + "/file"), "content");
    ASSERT_EQ(::umount2(point.c_str(), 0), 0);
    EXPECT_FALSE(mounted_in(id(launch), point));

    const auto report = launch.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    EXPECT_EQ(printed(*report).find("make-rshared"), std::string::npos);
    const auto all = mounts(id(launch));
    ASSERT_TRUE(all);
    for (const auto& mount : *all) EXPECT_FALSE(mount.shared) << mount.point;
    end(launch);
}

TEST_F(Propagation, NeverLeadsOutOfTheGuest) {
    share(MS_SHARED);
    const auto plan = world.qemu();
    auto launch = launched(plan, world.environment());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    const auto before = read_all("/proc/self/mounts");
    EXPECT_EQ(inside_mounts_of(id(launch),
                               [&] {
                                   if (::mount("inside", inner.c_str(), "tmpfs", 0, nullptr) < 0) return 1;
                                   if (::mount("inside", "/dev/shm", "tmpfs", 0, nullptr) < 0) return 2;
                                   return ::mount("/etc", inner.c_str(), nullptr, MS_BIND, nullptr) < 0 ? 3
                                                                                                        : 0;
                               }),
              0);
    EXPECT_TRUE(mounted_in(id(launch), inner));
    EXPECT_EQ(read_all("/proc/self/mounts"), before);
    end(launch);
}

TEST_F(Propagation, OfAPrivateHostDoesNotArriveAndTheReportSaysWhatToDo) {
    share(MS_PRIVATE);
    const auto plan = world.qemu();
    auto launch = launched(plan, world.environment());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    ASSERT_EQ(::mount("later", point.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_FALSE(mounted_in(id(launch), point));
    ASSERT_EQ(::umount2(point.c_str(), 0), 0);
    const auto report = launch.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    EXPECT_NE(printed(*report).find("'mount --make-rshared /'"), std::string::npos);
    end(launch);
}

TEST_F(Propagation, IsWarnedOfWhenTheDaemonStarts) {
    const auto says = [](bool own_mounts) {
        for (const auto& warning : host_warnings(cgroup_layout().value(), own_mounts))
            if (warning.find("'mount --make-rshared /'") != std::string::npos) return true;
        return false;
    };
    share(MS_PRIVATE);
    EXPECT_TRUE(says(true));
    EXPECT_FALSE(says(false)) << "no guest has mounts of its own: nothing to arrive in";
    share(MS_SHARED);
    EXPECT_FALSE(says(true));
}

TEST(DevOfTheGuest, KeepsEveryMountOfTheHostsDevWithWhatIsInIt) {
    const World world;
    const auto umask = ::umask(0);
    ASSERT_EQ(::mount("t", "/dev", "tmpfs", 0, "mode=755"), 0); // a host whose /dev we may fill
    for (const char* node : {"null", "zero", "full", "random", "urandom"})
        ASSERT_EQ(
            ::mknod((std::string("/dev/") + node).c_str(), S_IFCHR | 0666, node[0] == 'n' ? 0x103 : 0x105),
            0);
    for (const char* folder : {"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/a", "/dev/a/b"})
        ASSERT_EQ(::mkdir(folder, 0755), 0);
    ASSERT_EQ(::mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620"), 0);
    ASSERT_EQ(::symlink("pts/ptmx", "/dev/ptmx"), 0);
    ASSERT_EQ(::mount("shm", "/dev/shm", "tmpfs", 0, "mode=1777"), 0);
    ASSERT_EQ(::mount("mqueue", "/dev/mqueue", "mqueue", 0, nullptr), 0);
    const bool huge = ::mount("hugetlbfs", "/dev/hugepages", "hugetlbfs", 0, nullptr) == 0;
    ASSERT_EQ(::mount("deep", "/dev/a/b", "tmpfs", 0, "mode=755"), 0);
    write_all("/dev/shm/file", "shared");
    ASSERT_EQ(::mkdir("/dev/shm/nested", 0755), 0);
    ASSERT_EQ(::mount("nested", "/dev/shm/nested", "tmpfs", 0, "mode=755"), 0);
    write_all("/dev/shm/nested/file", "nested");
    write_all("/dev/stays-outside", "x");
    ::umask(umask);

    const auto plan = world.qemu();
    auto launch = launched(plan, world.environment());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    const auto inside = "/proc/" + id(launch) + "/root/dev/";
    EXPECT_EQ(read_all(inside + "shm/file"), "shared");
    EXPECT_EQ(read_all(inside + "shm/nested/file"), "nested");
    for (const char* point : {"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/a/b"})
        EXPECT_TRUE(mounted_in(id(launch), point)) << point;
    EXPECT_EQ(mounted_in(id(launch), "/dev/hugepages"), huge);
    EXPECT_NE(::access((inside + "stays-outside").c_str(), F_OK), 0);
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(inside))
        names.insert(entry.path().filename());
    std::set<std::string> expected{"a",   "full",   "mqueue", "null",    "ptmx",
                                   "pts", "random", "shm",    "urandom", "zero"};
    if (huge) expected.insert("hugepages");
    EXPECT_EQ(names, expected);
    const auto report = launch.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
    ASSERT_EQ(::umount2("/dev", MNT_DETACH), 0);
}

} // namespace
} // namespace cloister::root_test
