/// Suite root. The real QEMU is refused something by each layer, and what is told of it names that layer.
#include "security/kernel/autopsy.hpp"
#include "tests/root/world.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

/// Launches it as the driver does, waits for its end, and asks why.
std::vector<Denial> told(const World& world, const LaunchPlan& plan, const LaunchEnvironment& environment) {
    auto launch = Launch::prepare(plan, environment, {});
    EXPECT_TRUE(launch) << (launch ? "" : text(launch.error()));
    EXPECT_TRUE(launch->spawn());
    EXPECT_TRUE(launch->confine());
    const auto space = mount_namespace_of(plan, launch->process());
    EXPECT_TRUE(launch->exec());
    const Dead dead{.plan = plan,
                    .lowered = launch->lowered(),
                    .process = launch->process(),
                    .ended = finished(*launch),
                    .words = world.log(plan),
                    .helper = helper()};
    const auto children = read_all("/proc/thread-self/children");
    auto out = denials(death_facts(dead, space));
    EXPECT_EQ(read_all("/proc/thread-self/children"), children) << "the replay left a process";
    if (out.empty()) ADD_FAILURE() << "nothing was told of: " << dead.words;
    end(*launch);
    ::unlink(plan.paths.log.c_str());
    if (out.empty()) out.push_back({});
    return out;
}

LaunchPlan opening(const World& world, const std::string& path) {
    auto plan = world.qemu();
    plan.items.push_back({"", "-drive", "qemu:arg 1"});
    plan.items.push_back({"", "if=none,id=d,format=raw,file=" + path, "qemu:arg 2"});
    return plan;
}

TEST(ADenial, OfADeviceOutsideTheGuestsDevNamesTheMountNamespace) {
    const World world;
    if (::access("/dev/loop-control", F_OK) != 0) GTEST_SKIP() << "this machine: no /dev/loop-control";
    const auto found = told(world, opening(world, "/dev/loop-control"), world.environment());
    EXPECT_EQ(found[0].layer, Layer::mountns);
    EXPECT_TRUE(found[0].sentence.starts_with("/dev/loop-control: not in the guest's /dev (mount namespace); "
                                              "it was named by qemu:arg 2; to grant it"))
        << found[0].sentence;
}

TEST(ADenial, OfADeviceThatIsNotListedNamesTheCgroupOfEitherVersion) {
    const World world;
    if (::access("/dev/loop7", F_OK) != 0) GTEST_SKIP() << "this machine: no loop devices";
    auto plan = opening(world, "/dev/loop7");
    plan.confinement.mount_namespace = false;
    plan.identity.uid = plan.identity.gid = 0; // so that the mode bits do not speak first
    plan.identity.groups = {0};
    for (const auto backend : backends()) {
        const auto found = told(world, plan, world.environment(backend));
        EXPECT_EQ(found[0].layer, Layer::cgroup);
        EXPECT_TRUE(found[0].sentence.starts_with("/dev/loop7: device b 7:7 is not on the guest's device "
                                                  "list (cgroup); it was named by qemu:arg 2"))
            << found[0].sentence;
    }
}

TEST(ADenial, OfAFileNamesItsOwnerAndMode) {
    const World world;
    const auto path = world.path("secret.img");
    write_all(path, std::string(65536, 's'));
    ::chmod(path.c_str(), 0600);
    const auto found = told(world, opening(world, path), world.environment());
    EXPECT_EQ(found[0], (Denial{Layer::dac,
                                path + ": user 64901 may not read it (DAC: it belongs to 0:0, mode "
                                       "0600); it was named by qemu:arg 2",
                                path}));
}

TEST(ADenial, OfAFolderOnTheWayNamesThatFolder) {
    const World world;
    const auto folder = world.path("closed");
    ::mkdir(folder.c_str(), 0700);
    ::mkdir((folder + "/open").c_str(), 0755);
    write_all(folder + "/open/a.img", std::string(65536, 'a'));
    ::chmod((folder + "/open/a.img").c_str(), 0666);
    const auto path = folder + "/open/a.img";
    const auto found = told(world, opening(world, path), world.environment());
    EXPECT_EQ(found[0], (Denial{Layer::dac,
                                path + ": user 64901 may not search the folder '" + folder +
                                    "' on the way (DAC: it belongs to 0:0, mode 0700); it was named "
                                    "by qemu:arg 2",
                                path}));
}

TEST(ADenial, OfAProgramNamesTheFilterTheCallAndTheWordThatForbidsIt) {
    const World world;
    auto plan = world.qemu();
    plan.grants = {{.path = "/dev/net/tun",
                    .kind = Kind::char_device,
                    .access = Access::read_write,
                    .sharing = Sharing::shared,
                    .why = "test"}};
    plan.confinement.kept_capabilities = {"net_admin"};
    plan.items.push_back({"netdev", "tap,id=n,script=/bin/true,downscript=no", "qemu:arg 1"});
    const auto found = told(world, plan, world.environment());
    EXPECT_EQ(found[0].layer, Layer::seccomp);
    const auto& said = found[0].sentence;
    // Where an audit daemon takes the kernel's lines, the call cannot be known, and that is said.
    EXPECT_TRUE(said == "a seccomp filter killed QEMU (SIGSYS) for the system call 'clone', which QEMU's own "
                        "-sandbox spawn=deny forbids; qemu:arg 1 asks QEMU to run a program" ||
                said.ends_with("(a guess: the kernel's log does not tell the system call)"))
        << said;
}

TEST(ADenial, OfWritingWhereNobodyMayBlamesNoLayer) {
    const World world;
    const auto folder = world.path("readonly");
    ::mkdir(folder.c_str(), 0755);
    ASSERT_EQ(::mount("readonly", folder.c_str(), "tmpfs", 0, "size=1m,mode=755"), 0);
    const auto path = folder + "/a.img";
    write_all(path, std::string(65536, 'a'));
    ::chmod(path.c_str(), 0666);
    ASSERT_EQ(::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    const auto plan = opening(world, path + ",auto-read-only=off"); // or QEMU would do with reading
    const auto found = told(world, plan, world.environment());
    EXPECT_EQ(found[0], (Denial{Layer::none,
                                path + ": its file system is mounted read-only on the host, so no "
                                       "layer of the confinement refused writing; it was named by "
                                       "qemu:arg 2",
                                path}));
    ::umount2(folder.c_str(), MNT_DETACH);
}

TEST(ADenial, OfWhatIsNowhereBlamesNoLayer) {
    const World world;
    const auto found = told(world, opening(world, "/no/such/disk.img"), world.environment());
    EXPECT_EQ(found[0], (Denial{Layer::none,
                                "/no/such/disk.img: does not exist on the host either, so no layer "
                                "of the confinement refused it; it was named by qemu:arg 2",
                                "/no/such/disk.img"}));
}

TEST(AReplay, LooksAndOpensNothing) {
    const World world;
    const auto pipe = world.path("fifo"); // opening it would wait for a writer
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
    ::chmod(pipe.c_str(), 0666);
    auto plan = world.probing({"wait"});
    auto launch = launched(plan, world.environment());
    const Dead dead{
        .plan = plan, .lowered = launch.lowered(), .process = launch.process(), .helper = helper()};
    const auto found =
        replay(dead, mount_namespace_of(plan, launch.process()), {pipe, "/dev/null", "/dev/fuse"});
    ASSERT_TRUE(found) << text(found.error());
    ASSERT_EQ(found->size(), 3U);
    EXPECT_EQ((*found)[0].read_error, 0);
    EXPECT_EQ((*found)[1].write_error, 0);
    EXPECT_EQ((*found)[2].error, ENOENT);
    end(launch);
}

TEST(AReplay, OfAGuestWhoseNamespaceIsGoneIsRefused) {
    const World world;
    const Dead dead{.plan = world.probing({"wait"}), .helper = helper()};
    EXPECT_FALSE(replay(dead, {}, {"/dev/null"}));
}

} // namespace
} // namespace cloister::root_test
