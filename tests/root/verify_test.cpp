/// Suite root. The verification tells when something is not as planned, whatever changed it.
#include "security/kernel/facts.hpp"
#include "tests/root/world.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

class Verify : public ::testing::Test {
protected:
    const World world;
    Launch launch = launched(world.probing({"wait"}), world.environment());
    const std::string inside = "/proc/" + std::to_string(launch.process().pid) + "/root";

    std::string differs() {
        const auto report = launch.verify();
        return report ? differences(*report) : text(report.error());
    }
    void TearDown() override { end(launch); }
};

TEST_F(Verify, SaysNothingWhenAllIsAsPlanned) { EXPECT_EQ(differs(), ""); }

TEST_F(Verify, FindsANodeThatNobodyPlanned) {
    ASSERT_EQ(::mknod((inside + "/dev/sneaked").c_str(), S_IFCHR | 0600, makedev(10, 229)), 0);
    EXPECT_EQ(differs(), "mountns: node /dev/sneaked: planned nothing, found c 10:229 0600 +0:+0");
}

TEST_F(Verify, FindsANodeThatIsGoneAndOneThatIsAnother) {
    ::unlink((inside + "/dev/full").c_str());
    ::unlink((inside + "/dev/null").c_str());
    ASSERT_EQ(::mknod((inside + "/dev/null").c_str(), S_IFCHR | 0600, makedev(1, 1)), 0);
    EXPECT_EQ(differs(), "mountns: node /dev/full: planned c 1:7 0666 +0:+0, found nothing; "
                         "mountns: node /dev/null: planned c 1:3 0666 +0:+0, found c 1:1 0600 +0:+0");
}

TEST_F(Verify, FindsALimitThatWasChanged) {
    const rlimit more{0, 0};
    auto changed = launch.lowered();
    changed.script.limits.push_back({RLIMIT_NOFILE, 77});
    auto report = verify(world.probing({"wait"}), changed, launch.process());
    ASSERT_TRUE(report);
    EXPECT_NE(differences(*report).find("limits: nofile: planned 77, found "), std::string::npos);
    (void)more;
}

TEST_F(Verify, FindsAProcessThatLeftItsGroups) {
    const auto& group = launch.lowered().cgroup_v2;
    const auto root = group.substr(0, group.find("/cloister-test-"));
    write_all(root + "/cgroup.procs", std::to_string(launch.process().pid));
    EXPECT_EQ(differs(), "cgroup: threads in " + group + ": planned 1, found 0");
    write_all(group + "/cgroup.procs", std::to_string(launch.process().pid));
}

TEST_F(Verify, FindsADeviceThatSomebodyAllowed) {
    ASSERT_TRUE(apply(AddDevices{DeviceBackend::bpf,
                                 launch.lowered().device_group,
                                 {{NodeType::char_device, 10, 229, true, true, false}}}));
    EXPECT_EQ(differs(), "cgroup: device c 10:229 rw: planned nothing, found allowed");
}

TEST_F(Verify, FindsAListThatIsMissing) {
    auto planned = launch.lowered();
    planned.device_group = planned.cgroup_v2.substr(0, planned.cgroup_v2.rfind('/')); // where there is none
    const auto report = verify(world.probing({"wait"}), planned, launch.process());
    ASSERT_TRUE(report);
    EXPECT_EQ(differences(*report), "cgroup: device programs: planned 1, found 0; "
                                    "cgroup: device list: planned exact, found everything is allowed");
}

TEST_F(Verify, FindsAnEnvironmentThatDiffers) {
    auto planned = launch.lowered();
    planned.script.env.push_back("LD_PRELOAD=/x");
    const auto report = verify(world.probing({"wait"}), planned, launch.process());
    ASSERT_TRUE(report);
    EXPECT_EQ(differences(*report), "process: environment: planned as planned, found differs in LD_PRELOAD");
}

TEST(VerifyFresh, FindsALayerThatWasNotApplied) {
    const World world;
    const auto plan = world.probing({"wait"});
    auto weak = plan;
    weak.confinement.own_seccomp = weak.confinement.no_new_privs = weak.confinement.mount_namespace = false;
    weak.identity.uid = 0;
    auto launch = launched(weak, world.environment());
    const auto wanted = lower(plan, look(plan, world.environment().cgroups).value()).value();
    const auto report = verify(plan, wanted, launch.process());
    ASSERT_TRUE(report);
    const auto found = differences(*report);
    EXPECT_NE(found.find("dac: uid of thread "), std::string::npos);
    EXPECT_NE(found.find("caps: no_new_privs of thread "), std::string::npos);
    EXPECT_NE(found.find("seccomp: filters of thread "), std::string::npos);
    EXPECT_NE(found.find("mountns: mount namespace: planned own, found the host's"), std::string::npos);
    EXPECT_NE(found.find("mountns: node /dev/null: planned c 1:3 0666 +0:+0, found nothing"),
              std::string::npos);
    end(launch);
}

TEST(VerifyFresh, SaysThatAProcessIsGone) {
    const World world;
    auto launch = launched(world.probing({"self"}), world.environment());
    finished(launch);
    const auto report = launch.verify();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Code::operation_failed);
    end(launch);
}

} // namespace
} // namespace cloister::root_test
