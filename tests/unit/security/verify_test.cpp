#include "security/verify.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace cloister {
namespace {

LaunchPlan plan() {
    LaunchPlan out;
    out.identity = {.uid = 5, .gid = 6, .groups = {6, 7}, .why = "qemu.conf user"};
    out.confinement.base_devices = {{.path = "/dev/null", .access = Access::read_write, .keep_owner = true}};
    out.confinement.cgroup_name = "q";
    out.env = {{"A", "1", ""}};
    return out;
}
Lowered wanted() {
    return lower(plan(), {.paths = {{"/dev/null",
                                     {.kind = SeenKind::char_device, .mode = 0666, .major = 1, .minor = 3}}},
                          .dev_submounts = {"/dev/pts"},
                          .cgroups = {.hierarchies = {{"/cg", {}, true}}},
                          .landlock_abi = 7})
        .value();
}
ProcessFacts facts() {
    ThreadFacts thread{.tid = 10,
                       .name = "qemu",
                       .uids = {5, 5, 5, 5},
                       .gids = {6, 6, 6, 6},
                       .groups = {7, 6},
                       .seccomp_mode = 2,
                       .seccomp_filters = 2,
                       .no_new_privs = 1};
    auto second = thread;
    second.tid = 11;
    second.name = "IO mon_iothread";
    return {.process = {10, 1, "b"},
            .threads = {thread, second},
            .own_mount_namespace = true,
            .dev = {{"/dev/null", {.kind = SeenKind::char_device, .mode = 0666, .major = 1, .minor = 3}},
                    {"/dev/pts", {.kind = SeenKind::directory}}},
            .dev_mounts = {"/dev", "/dev/pts"},
            .dev_flags = "rw,nosuid,noexec,relatime",
            .follows_host = true,
            .cgroups = {{"/cg/machine/q.cloister", {10, 11}}},
            .device_rules = {{{NodeType::char_device, 136, {}, true, true, false},
                              {NodeType::char_device, 1, 3, true, true, false}}},
            .device_programs = 1,
            .denials = std::vector<DeviceDenial>{},
            .limits = {{RLIMIT_CORE, {0, 0}}},
            .fds = {{0, "/dev/null"}, {1, "/log"}, {2, "/log"}},
            .environment = {"A=1"},
            .umask = 2};
}
std::string differs(const ProcessFacts& found) { return differences(verify(plan(), wanted(), found)); }

TEST(Verify, IsOkWhenEverythingIsAsPlanned) { EXPECT_EQ(differs(facts()), ""); }

TEST(Verify, LooksAtEveryThread) {
    auto found = facts();
    found.threads[1].uids[2] = 0;
    EXPECT_EQ(differs(found), "dac: uid of thread 11 (IO mon_iothread): planned 5 5 5 5, found 5 5 0 5");
    found = facts();
    found.threads[1].cap_bnd = 1;
    EXPECT_EQ(differs(found), "caps: CapBnd of thread 11 (IO mon_iothread): planned none, found chown");
    found = facts();
    found.threads[0].seccomp_filters = 1;
    EXPECT_EQ(differs(found), "seccomp: filters of thread 10 (qemu): planned 2, found 1");
    found = facts();
    found.threads[0].no_new_privs = 0;
    EXPECT_EQ(differs(found), "caps: no_new_privs of thread 10 (qemu): planned 1, found 0");
    found = facts();
    found.cgroups.begin()->second = {10};
    EXPECT_EQ(differs(found), "cgroup: threads in /cg/machine/q.cloister: planned 2, found 1");
    found = facts();
    found.threads.clear();
    EXPECT_NE(differs(found), "") << "nothing read is not nothing wrong";
}

TEST(Verify, LooksAtMounts) {
    auto found = facts();
    found.peer_mounts = {"/mnt"};
    EXPECT_EQ(differs(found), "mountns: mounts that get out: planned nothing, found /mnt");
    found = facts();
    found.dev_mounts.push_back("/dev/extra");
    EXPECT_EQ(differs(found), "mountns: mount /dev/extra: planned nothing, found mounted");
    found = facts();
    found.dev_mounts = {"/dev"};
    EXPECT_EQ(differs(found), "mountns: mount /dev/pts: planned mounted, found nothing");
    found = facts();
    found.dev_mounts.push_back("/dev/pts/inner");
    EXPECT_EQ(differs(found), "") << "a kept mount brings along what is mounted in it";
}

TEST(Verify, LooksAtTheFlagsOfDev) {
    auto found = facts();
    found.dev_flags = "rw,relatime,nosuid";
    EXPECT_EQ(differs(found), "mountns: flags of /dev: planned nosuid,noexec, found without noexec");
}

TEST(Verify, SaysWhyMountsOfTheHostDoNotArriveAndWhyNothingIsRecorded) {
    auto found = facts();
    EXPECT_TRUE(verify(plan(), wanted(), found).notes.empty());
    found.follows_host = false;
    found.denials.reset();
    const auto report = verify(plan(), wanted(), found);
    EXPECT_TRUE(report.ok()) << "the host's choice, not a difference from the plan";
    ASSERT_EQ(report.notes.size(), 1U);
    EXPECT_NE(report.notes[0].find("mount --make-rshared /"), std::string::npos);
    EXPECT_EQ(report.denied_why, "the group's device program keeps no account");
    auto on_v1 = wanted();
    on_v1.device_backend = DeviceBackend::v1;
    EXPECT_EQ(verify(plan(), on_v1, found).denied_why,
              "the v1 controller 'devices' keeps no account of what it refuses");
    on_v1.device_backend = DeviceBackend::none;
    EXPECT_EQ(verify(plan(), on_v1, found).denied_why, "there is no device list");
}

TEST(Verify, LooksAtDescriptorsLimitsAndUmask) {
    auto found = facts();
    found.fds[9] = "/dev/mem";
    EXPECT_EQ(differs(found), "process: descriptor 9: planned nothing, found /dev/mem");
    found = facts();
    found.limits[RLIMIT_CORE] = {0, ~std::uint64_t{0}};
    EXPECT_EQ(differs(found), "limits: core: planned 0, found 0 of unlimited");
    found = facts();
    found.umask = 0;
    EXPECT_EQ(differs(found), "process: umask: planned 0002, found 0000");
}

/// -add-fd duplicates what it is given, and closes the number.
TEST(Verify, KnowsAFileByItsDuplicate) {
    auto lowered = wanted();
    lowered.descriptors.emplace_back(OpenFile{.symbol = "serial0", .path = "/serial.log"});
    lowered.fds["serial0"] = 5;
    auto found = facts();
    found.fds[5] = "anon_inode:[signalfd]";
    EXPECT_EQ(differences(verify(plan(), lowered, found)),
              "process: descriptor 5: planned /serial.log, found anon_inode:[signalfd]");
    found.fds[11] = "/serial.log";
    EXPECT_EQ(differences(verify(plan(), lowered, found)), "");
}

TEST(Verify, ShowsNoValuesOfTheEnvironment) {
    auto found = facts();
    found.environment = {"A=1", "TOKEN=secret"};
    EXPECT_EQ(differs(found), "process: environment: planned as planned, found differs in TOKEN");
}

TEST(Report, IsPrintedAsATableAndAsJson) {
    const Report report{.items = {{Layer::dac, "uid", "5", "0", false, "qemu.conf user"},
                                  {Layer::none, "umask", "2", "2", true, ""}},
                        .denied = {{{{NodeType::char_device, 10, 237, true, true, false},
                                     "/dev/loop-control",
                                     3,
                                     1795000000,
                                     1795000059}}},
                        .relaxations = {"namespaces = [] (qemu.conf line 3)"}};
    EXPECT_FALSE(report.ok());
    EXPECT_EQ(printed(report), "    layer    item   planned  found  because\n"
                               "BAD dac      uid    5        0      qemu.conf user\n"
                               " ok process  umask  2        2      \n"
                               "relaxed: namespaces = [] (qemu.conf line 3)\n"
                               "denied: c 10:237 rw, 3 times, last at 2026-11-18T11:07:39Z, first at "
                               "2026-11-18T11:06:40Z (/dev/loop-control)\n");
    EXPECT_EQ(
        boost::json::serialize(to_json(Report{.items = {report.items[1]}, .denied_why = "v1"})),
        R"({"ok":true,"items":[{"layer":"process","item":"umask","planned":"2","found":"2","ok":true,"why":""}],"denied":null,"relaxations":[],"notes":[],"denied_why":"v1"})");
    EXPECT_EQ(
        boost::json::serialize(to_json(report).at("denied")),
        R"([{"device":"c 10:237 rw","name":"/dev/loop-control","type":"char","major":10,"minor":237,"read":true,"write":true,)"
        R"("make_node":false,"times":3,"first":"2026-11-18T11:06:40Z","last":"2026-11-18T11:07:39Z"}])");
    EXPECT_NE(printed(Report{.denied_why = "v1 keeps no account"})
                  .find("denied: not recorded: v1 keeps no account\n"),
              std::string::npos);
    EXPECT_NE(printed(Report{.denied = std::vector<DeviceDenial>{}}).find("denied: nothing\n"),
              std::string::npos);
}

} // namespace
} // namespace cloister
