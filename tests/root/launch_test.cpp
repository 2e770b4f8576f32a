/// Suite root. Real QEMU, launched through the façade from hand-built plans: the layers are there.
#include "security/caps.hpp"
#include "tests/root/world.hpp"

#include <fcntl.h>
#include <fstream>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

std::string status_line(const ProcessId& process, const std::string& key) {
    std::ifstream in("/proc/" + std::to_string(process.pid) + "/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(key + ":")) return line.substr(line.find_first_not_of(" \t", key.size() + 1));
    return "";
}

class OnEachBackend : public WithBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, OnEachBackend, ::testing::Values(DeviceBackend::bpf, DeviceBackend::v1),
                         [](const auto& p) { return p.param == DeviceBackend::bpf ? "bpf" : "v1"; });

TEST_P(OnEachBackend, QemuIsConfinedAsPlanned) {
    const World world;
    const auto plan = world.qemu();
    auto launch = launched(plan, world.environment(GetParam()));
    ASSERT_EQ(launch.lowered().device_backend, GetParam());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);

    const auto& process = launch.process();
    EXPECT_EQ(status_line(process, "Uid"), "64901\t64901\t64901\t64901");
    EXPECT_EQ(status_line(process, "Gid"), "64901\t64901\t64901\t64901");
    EXPECT_EQ(status_line(process, "Groups"), "64901 ");
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        EXPECT_EQ(status_line(process, set), "0000000000000000") << set;
    EXPECT_EQ(status_line(process, "NoNewPrivs"), "1");
    EXPECT_EQ(status_line(process, "Seccomp"), "2");
    EXPECT_EQ(status_line(process, "Seccomp_filters"), "2");
    EXPECT_EQ(status_line(process, "Umask"), "0002");

    const auto report = launch.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

TEST(Launch, GivesEnvironmentFolderSessionAndOnlyTheListedDescriptors) {
    const World world;
    auto plan = world.probing({"self"});
    plan.env.push_back({"HOME", "/x", "default"});
    plan.env.push_back({"HOME", "/y", "qemu:env"});
    plan.descriptors = {{"channel", ListenSocket{world.path("channel/agent.sock"), true}, "channel"}};
    const int secret = ::open("/etc/passwd", O_RDONLY); // not closed on exec: a careless library's
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(finished(launch).code, 0);
    ::close(secret);
    auto log = world.log(plan);
    log.replace(log.find("socket:["), log.find(']', log.find("socket:[")) - log.find("socket:[") + 1,
                "socket");
    EXPECT_EQ(
        log,
        "env LC_ALL=C\nenv PATH=/usr/sbin:/usr/bin:/sbin:/bin\nenv HOME=/y\numask 0002\ncwd /\nsession 1\n"
        "fd 0 /dev/null\nfd 1 " +
            plan.paths.log + "\nfd 2 " + plan.paths.log + "\nfd 3 socket\n");
    end(launch);
}

TEST(Launch, KeepsOnlyTheCapabilitiesThatThePlanKeeps) {
    const World world;
    auto plan = world.probing({"wait"});
    plan.confinement.kept_capabilities = {"sys_rawio"};
    auto launch = launched(plan, world.environment());
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        EXPECT_EQ(status_line(launch.process(), set), "0000000000020000") << set;
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

TEST(Launch, ARootGuestKeepsNoCapabilities) {
    const World world;
    auto plan = world.probing({"wait"});
    plan.identity.uid = plan.identity.gid = 0;
    plan.identity.groups = {0};
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(status_line(launch.process(), "Uid"), "0\t0\t0\t0");
    EXPECT_EQ(status_line(launch.process(), "CapEff"), "0000000000000000");
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

TEST(Launch, EveryLayerCanBeOff) {
    const World world;
    auto plan = world.probing({"wait"});
    auto& c = plan.confinement;
    c.mount_namespace = c.use_cgroups = c.own_seccomp = c.landlock = c.no_new_privs = false;
    c.kept_capabilities = {"all"};
    plan.identity = {.set_ids = false, .relabel_dac = false};
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(status_line(launch.process(), "Uid"), "0\t0\t0\t0");
    EXPECT_EQ(status_line(launch.process(), "CapEff"), status_line({.pid = ::getpid()}, "CapEff"));
    EXPECT_EQ(status_line(launch.process(), "NoNewPrivs"), "0");
    EXPECT_EQ(status_line(launch.process(), "Seccomp"), "0");
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

TEST(Launch, WithoutNoNewPrivsTheFilterAndTheDomainStillHold) {
    const World world;
    auto plan = world.probing({"wait"});
    plan.confinement.no_new_privs = false;
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(status_line(launch.process(), "Seccomp_filters"), "1");
    EXPECT_EQ(status_line(launch.process(), "CapEff"), "0000000000000000");
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

TEST(Launch, AProgramThatIsNotThereIsAnErrorThatSaysSo) {
    const World world;
    auto plan = world.qemu();
    plan.emulator = "/usr/bin/no-such-emulator";
    const auto before = snapshot(world);
    auto launch = Launch::prepare(plan, world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    ASSERT_TRUE(launch->confine());
    const auto done = launch->exec();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().sys_errno, ENOENT);
    EXPECT_EQ(done.error().message,
              "cannot execute the program for '/usr/bin/no-such-emulator': No such file or directory");
    end(*launch);
    EXPECT_EQ(snapshot(world), before);
}

TEST(Launch, TheHelperDoesNothingBeforeTheGoByteAndEndsWithItsDaemon) {
    const World world;
    auto launch = Launch::prepare(world.qemu(), world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    const auto pid = std::to_string(launch->process().pid);
    struct stat theirs{}, ours{};
    ASSERT_EQ(::stat(("/proc/" + pid + "/ns/mnt").c_str(), &theirs), 0);
    ASSERT_EQ(::stat("/proc/self/ns/mnt", &ours), 0);
    EXPECT_EQ(theirs.st_ino, ours.st_ino);
    EXPECT_EQ(status_line(launch->process(), "Uid"), "0\t0\t0\t0");
    const auto pidfd = launch->pidfd().copy();
    const auto undo = launch->undo();
    *launch = Launch::prepare(world.probing({"self"}, "other"), world.environment(), {})
                  .value(); // the first one's end closes its socket
    const auto status = wait_exit(pidfd, std::chrono::seconds(10));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->code, 0);
    OwnerBook nobody;
    EXPECT_TRUE(release(undo, nobody));
    end(*launch);
}

TEST(Launch, IsBornInItsGroups) {
    const World world;
    auto launch = Launch::prepare(world.qemu(), world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    auto groups = launch->lowered().groups;
    groups.push_back(launch->lowered().cgroup_v2);
    EXPECT_GE(groups.size(), backends().size());
    for (const auto& group : groups)
        EXPECT_EQ(read_all(group + "/cgroup.procs"), std::to_string(launch->process().pid) + "\n") << group;
    end(*launch);
}

TEST(Launch, TwoMountsStackedOnDevAreNoTrap) {
    const World world;
    ASSERT_EQ(::mount("/dev", world.folder().c_str(), nullptr, MS_BIND | MS_REC, nullptr), 0);
    ASSERT_EQ(::mount(world.folder().c_str(), "/dev", nullptr, MS_BIND | MS_REC, nullptr),
              0); // a second one on top
    ASSERT_EQ(::umount2(world.folder().c_str(), MNT_DETACH), 0);
    const auto plan = world.qemu();
    auto launch = launched(plan, world.environment());
    EXPECT_TRUE(greeted(plan)) << world.log(plan);
    const auto report = launch.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
    ::umount2("/dev", MNT_DETACH);
}

bool mounted_in(const ProcessId& process, const std::string& point) {
    return read_all("/proc/" + std::to_string(process.pid) + "/mounts").find(" " + point + " ") !=
           std::string::npos;
}

TEST(Launch, AMountOfTheHostArrivesInsideAndNoneGetsOut) {
    const World world;
    const auto point = world.path("point");
    ASSERT_EQ(::mkdir(point.c_str(), 0755), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
    auto launch = launched(world.probing({"wait"}), world.environment());
    ASSERT_EQ(::mount("t", point.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE(mounted_in(launch.process(), point));
    ASSERT_EQ(::umount2(point.c_str(), 0), 0);
    EXPECT_FALSE(mounted_in(launch.process(), point));

    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("t", point.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_FALSE(mounted_in(launch.process(), point)) << "/ was not shared any more";
    ::umount2(point.c_str(), 0);

    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
}

TEST(Launch, PutsFilesLinksAndFoldersBelowDevIntoThePrivateOne) {
    const World world;
    ASSERT_EQ(::mount("t", "/dev", "tmpfs", 0, "mode=755"), 0); // a host whose /dev we may fill
    for (const char* node : {"null", "zero", "full", "random", "urandom"})
        ASSERT_EQ(
            ::mknod((std::string("/dev/") + node).c_str(), S_IFCHR | 0666, node[0] == 'n' ? 0x103 : 0x105),
            0);
    ::mkdir("/dev/disk", 0755);
    ::mkdir("/dev/disk/by-id", 0755);
    ASSERT_EQ(::mknod("/dev/sdx", S_IFBLK | 0660, 0x700), 0);
    ASSERT_EQ(::symlink("../../sdx", "/dev/disk/by-id/first"), 0);
    ASSERT_EQ(::symlink("first", "/dev/disk/by-id/second"), 0);
    write_all("/dev/file", "content");
    ::chmod("/dev/file", 0644);

    auto plan = world.probing({"wait"});
    plan.grants = {{.path = "/dev/disk/by-id/second",
                    .kind = Kind::block_device,
                    .access = Access::read_write,
                    .why = "disk vda"},
                   {.path = "/dev/file",
                    .kind = Kind::file,
                    .access = Access::read,
                    .sharing = Sharing::shared,
                    .why = "dtb"}};
    auto launch = launched(plan, world.environment());
    const auto inside = "/proc/" + std::to_string(launch.process().pid) + "/root/dev/";
    struct stat found{};
    ASSERT_EQ(::lstat((inside + "sdx").c_str(), &found), 0);
    EXPECT_EQ(found.st_rdev, 0x700U);
    EXPECT_EQ(found.st_uid, guest_uid);
    ASSERT_EQ(::lstat("/dev/sdx", &found), 0);
    EXPECT_EQ(found.st_uid, 0U) << "the host's node must stay as it was";
    EXPECT_EQ(read_all(inside + "file"), "content");
    char target[64]{};
    ASSERT_GT(::readlink((inside + "disk/by-id/second").c_str(), target, sizeof target - 1), 0);
    EXPECT_STREQ(target, "first");
    const auto report = launch.verify();
    ASSERT_TRUE(report) << text(report.error());
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
    ASSERT_EQ(::umount2("/dev", MNT_DETACH), 0);
}

TEST(Launch, MakesATapOnItsBridge) {
    const World world;
    const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (::ioctl(control, SIOCBRADDBR, "cltestbr") < 0) GTEST_SKIP() << "this kernel has no bridges";
    auto plan = world.probing({"wait"});
    plan.descriptors = {{"tap0",
                         TapDevice{.name = "cltap0",
                                   .bridge = "cltestbr",
                                   .host_mac = "fe:54:00:01:02:03",
                                   .vnet_header = true,
                                   .mtu = 1400},
                         "interface"}};
    const auto before = snapshot(world);
    auto launch = launched(plan, world.environment());
    ifreq ask{};
    std::string("cltap0").copy(ask.ifr_name, 15);
    ASSERT_EQ(::ioctl(control, SIOCGIFHWADDR, &ask), 0);
    EXPECT_EQ(std::string(ask.ifr_hwaddr.sa_data, 6), std::string("\xfe\x54\x00\x01\x02\x03", 6));
    ASSERT_EQ(::ioctl(control, SIOCGIFMTU, &ask), 0);
    EXPECT_EQ(ask.ifr_mtu, 1400);
    ASSERT_EQ(::ioctl(control, SIOCGIFFLAGS, &ask), 0);
    EXPECT_TRUE(ask.ifr_flags & IFF_UP);
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    end(launch);
    EXPECT_EQ(::if_nametoindex("cltap0"), 0U);
    EXPECT_EQ(snapshot(world), before);
    ::ioctl(control, SIOCBRDELBR, "cltestbr");
    ::close(control);
}

TEST(Launch, RunsSwtpmAsItsOwnUserInTheGuestsGroups) {
    if (::access("/usr/bin/swtpm", X_OK) != 0) GTEST_SKIP() << "swtpm is not installed";
    const World world;
    auto plan = world.qemu();
    const auto state = world.path("tpm"), socket = world.path("swtpm/t.sock");
    plan.helpers = {
        {.name = "swtpm",
         .argv = {"/usr/bin/swtpm", "socket", "--ctrl", "type=unixio,path=" + socket + ",mode=0600",
                  "--tpmstate", "dir=" + state, "--tpm2", "--terminate"},
         .socket = socket,
         .uid = 64902,
         .gid = 64902,
         .directories = {{state, 0700, true}, {world.path("swtpm"), 0711, true}}}};
    const auto before = snapshot(world);
    auto launch = launched(plan, world.environment());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    const auto* stop = std::get_if<StopProcess>(&launch.undo().front());
    ASSERT_NE(stop, nullptr);
    EXPECT_EQ(status_line(stop->process, "Uid"), "64902\t64902\t64902\t64902");
    EXPECT_EQ(status_line(stop->process, "CapBnd"), "0000000000000000");
    EXPECT_EQ(status_line(stop->process, "NoNewPrivs"), "1");
    EXPECT_NE(read_all(launch.lowered().cgroup_v2 + "/cgroup.procs").find(std::to_string(stop->process.pid)),
              std::string::npos);
    struct stat found{};
    ASSERT_EQ(::stat(socket.c_str(), &found), 0);
    EXPECT_EQ(found.st_uid, guest_uid);
    end(launch);
    EXPECT_EQ(snapshot(world), before);
}

} // namespace
} // namespace cloister::root_test
