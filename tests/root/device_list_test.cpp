/// Suite root. The device list in the kernel: what it refuses is written down, what is added and removed
/// while a guest runs leaves no gap, and who comes later finds it again.
#include "security/kernel/bpf.hpp"
#include "security/kernel/facts.hpp"
#include "security/kernel/multipath.hpp"
#include "tests/root/world.hpp"

#include <array>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

constexpr const char* device = "/dev/loop-control"; // c 10:237

int open_for_both(const char* path) {
    const int fd = ::open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return errno;
    ::close(fd);
    return 0;
}
int open_three_times(const char* path) {
    int last = 0;
    for (int i = 0; i < 3; ++i) last = open_for_both(path);
    return last;
}
int make_a_node(const char* path) {
    if (::mknod(path, S_IFCHR | 0600, makedev(1, 3)) < 0) return errno;
    ::unlink(path);
    return 0;
}

Report report_of(const Launch& launch) {
    auto report = launch.verify();
    EXPECT_TRUE(report) << text(report.error());
    return report.value_or(Report{});
}

TEST(DeviceList, WritesDownWhatItRefusedHowOftenAndSinceWhen) {
    if (::access(device, F_OK) != 0) GTEST_SKIP() << "this machine: no /dev/loop-control";
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment());
    EXPECT_EQ(report_of(launch).denied, std::vector<DeviceDenial>{})
        << "a launch asks for nothing it has not";
    const auto before = ::time(nullptr);
    EXPECT_EQ(inside_groups(launch.lowered(), open_three_times, device), EPERM);
    EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, device), EPERM);
    EXPECT_EQ(inside_groups(launch.lowered(), make_a_node, world.path("node").c_str()), EPERM);
    EXPECT_EQ(inside_groups(launch.lowered(), open_for_both, "/dev/null"), 0);

    const auto report = report_of(launch);
    EXPECT_TRUE(report.ok()) << "an attempt that was refused is no difference from the plan";
    ASSERT_TRUE(report.denied);
    std::map<std::string, std::uint64_t> times;
    for (const auto& denial : *report.denied) {
        times[printed(denial.what)] = denial.times;
        EXPECT_GE(denial.first, before - 2);
        EXPECT_LE(denial.first, denial.last);
        EXPECT_LE(denial.last, ::time(nullptr) + 2);
    }
    EXPECT_EQ(times,
              (std::map<std::string, std::uint64_t>{{"c 10:237 rw", 3}, {"c 10:237 r", 1}, {"c 1:3 m", 1}}));
    EXPECT_EQ(report.denied->front().name, device);
    EXPECT_NE(printed(report).find("denied: c 10:237 rw, 3 times, last at "), std::string::npos)
        << printed(report);
    end(launch);
}

TEST(DeviceList, OnV1NothingIsRecordedAndThatIsSaid) {
    if (::access(device, F_OK) != 0) GTEST_SKIP() << "this machine: no /dev/loop-control";
    if (backends().back() != DeviceBackend::v1) GTEST_SKIP() << without_v1;
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment(DeviceBackend::v1));
    EXPECT_EQ(inside_groups(launch.lowered(), open_three_times, device), EPERM);
    const auto report = report_of(launch);
    EXPECT_FALSE(report.denied);
    EXPECT_NE(printed(report).find("denied: not recorded: the v1 controller 'devices'"), std::string::npos);
    end(launch);
}

TEST(DeviceList, OnV1IsExactlyWhatIsWritten) {
    const World world;
    auto plan = world.probing({"wait"});
    plan.grants = {
        {.path = "/dev/loop7", .kind = Kind::block_device, .access = Access::read, .why = "disk vda"},
        {.path = "/dev/loop6", .kind = Kind::block_device, .access = Access::read_write, .why = "disk vdb"}};
    plan.identity.relabel_dac = false;
    if (::access("/dev/loop7", F_OK) != 0) GTEST_SKIP() << "this machine: no loop devices";
    if (backends().back() != DeviceBackend::v1) GTEST_SKIP() << without_v1;
    auto launch = launched(plan, world.environment(DeviceBackend::v1));
    std::istringstream lines(read_all(launch.lowered().device_group + "/devices.list"));
    std::set<std::string> found;
    for (std::string line; std::getline(lines, line);) found.insert(line);
    EXPECT_EQ(found, (std::set<std::string>{"b 7:6 rw", "b 7:7 r", "c 1:3 rw", "c 1:5 rw", "c 1:7 rw",
                                            "c 1:8 rw", "c 1:9 rw", "c 5:2 rw", "c 136:* rw"}));
    end(launch);
}

TEST(DeviceList, ARealQemusAttemptIsRecordedAfterItDied) {
    const World world;
    auto plan = world.qemu();
    plan.confinement.mount_namespace = false; // so that the device list speaks
    plan.identity.uid = plan.identity.gid = 0;
    plan.identity.groups = {0};
    plan.items.push_back({"drive", "if=none,id=d,format=raw,file=/dev/loop7", "qemu:arg 3"});
    if (::access("/dev/loop7", F_OK) != 0) GTEST_SKIP() << "this machine: no loop devices";
    auto launch = launched(plan, world.environment());
    EXPECT_NE(finished(launch).code, 0);
    const auto denied = read_denials(launch.lowered().device_backend, launch.lowered().device_group);
    ASSERT_TRUE(denied && *denied);
    std::set<std::string> names;
    for (const auto& denial : **denied) names.insert(denial.name);
    EXPECT_EQ(names, std::set<std::string>{"/dev/loop7"});
    end(launch);
}

/// Opens a device over and over in the guest's groups until nobody listens; errno of the first failure.
pid_t opening_all_the_time(const Lowered& lowered, int until_closed, int other_end) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::close(other_end);
    auto groups = lowered.groups;
    if (!lowered.cgroup_v2.empty()) groups.push_back(lowered.cgroup_v2);
    for (const auto& group : groups) {
        const int fd = ::open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
        if (fd < 0 || ::write(fd, "0", 1) != 1) ::_exit(255);
        ::close(fd);
    }
    if (::write(until_closed, "r", 1) != 1) ::_exit(254);
    for (;;) {
        if (const int wrong = open_for_both("/dev/null"); wrong != 0) ::_exit(wrong);
        char stopped = 0;
        if (::recv(until_closed, &stopped, 1, MSG_DONTWAIT) == 0) ::_exit(0);
    }
}

class OnOneBackend : public WithBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, OnOneBackend, ::testing::Values(DeviceBackend::bpf, DeviceBackend::v1),
                         [](const auto& p) { return p.param == DeviceBackend::bpf ? "bpf" : "v1"; });

TEST_P(OnOneBackend, AddingAndRemovingLeavesNoMomentInWhichAnotherDeviceIsRefused) {
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment(GetParam()));
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    const pid_t child = opening_all_the_time(launch.lowered(), pair[1], pair[0]);
    ::close(pair[1]);
    char ready = 0;
    ASSERT_EQ(::read(pair[0], &ready, 1), 1);
    const std::vector<DeviceRule> fuse{{NodeType::char_device, 10, 229, true, true, false}};
    const auto& group = launch.lowered().device_group;
    for (int i = 0; i < 500; ++i) {
        ASSERT_TRUE(apply(AddDevices{GetParam(), group, fuse}));
        ASSERT_TRUE(apply(RemoveDevices{GetParam(), group, fuse}));
    }
    ::close(pair[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << std::strerror(WEXITSTATUS(status));
    EXPECT_TRUE(report_of(launch).ok()) << printed(report_of(launch));
    end(launch);
}

TEST_P(OnOneBackend, TakesMoreDevicesThanAnyGuestHas) {
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment(GetParam()));
    std::vector<DeviceRule> many;
    for (std::uint32_t minor = 0; minor < 300; ++minor)
        many.push_back({NodeType::block_device, 250, minor, true, minor % 2 == 0, false});
    const auto& group = launch.lowered().device_group;
    ASSERT_TRUE(apply(AddDevices{GetParam(), group, many}));
    const auto list = read_device_list(GetParam(), group);
    ASSERT_TRUE(list && *list);
    EXPECT_EQ((*list)->rules.size(), launch.lowered().device_rules.size() + 300);
    ASSERT_TRUE(apply(RemoveDevices{GetParam(), group, many}));
    EXPECT_TRUE(report_of(launch).ok());
    end(launch);
}

/// A daemon that was started anew knows the group's name, and nothing else.
TEST(DeviceList, IsFoundAgainByAnotherProcessThroughItsProgram) {
    const World world;
    auto launch = launched(world.probing({"wait"}), world.environment());
    EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, device), EPERM);
    const auto group = launch.lowered().device_group;
    const std::vector<DeviceRule> rule{{NodeType::char_device, 10, 237, true, true, false}};
    const pid_t other = ::fork();
    if (other == 0) {
        ::syscall(SYS_close_range, 3U, ~0U, 0);
        ::_exit(apply(AddDevices{DeviceBackend::bpf, group, rule}) ? 0 : 1);
    }
    int status = 1;
    ::waitpid(other, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_NE(inside_groups(launch.lowered(), open_for_reading, device), EPERM);
    const auto list = read_device_list(DeviceBackend::bpf, group);
    ASSERT_TRUE(list && *list);
    EXPECT_EQ((*list)->programs, 1) << "the same program, with one entry more";
    const auto denied = read_denials(DeviceBackend::bpf, group);
    ASSERT_TRUE(denied && *denied);
    EXPECT_EQ((*denied)->size(), 1U);
    end(launch);
}

TEST(Multipath, DisksAreReadFromSysfsForMultipathDevicesOnly) {
    const World world; // a sysfs of our own: this kernel need not have a device mapper
    const auto make = [&](const std::string& number, const std::string& uuid) {
        const auto folder = world.path("sys/dev/block/" + number);
        std::filesystem::create_directories(folder + "/dm");
        write_all(folder + "/dm/uuid", uuid + "\n");
        for (const std::string disk : {"sdb", "sda"}) {
            std::filesystem::create_directories(folder + "/slaves/" + disk);
            write_all(folder + "/slaves/" + disk + "/uevent", "MAJOR=8\nMINOR=0\nDEVNAME=" + disk + "\n");
        }
    };
    make("253:0", "mpath-3600508b4");
    make("253:1", "LVM-x");
    EXPECT_EQ(multipath_disks(world.path("sys"), 253, 0), (std::vector<std::string>{"/dev/sda", "/dev/sdb"}));
    EXPECT_EQ(multipath_disks(world.path("sys"), 253, 1), std::vector<std::string>{})
        << "what lies below a volume belongs to other volumes too";
    EXPECT_EQ(multipath_disks(world.path("sys"), 8, 0), std::vector<std::string>{});
}

} // namespace
} // namespace cloister::root_test
