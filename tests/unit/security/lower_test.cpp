#include "security/lower.hpp"

#include <gtest/gtest.h>

namespace cloister {
namespace {

LaunchPlan plan() {
    LaunchPlan out;
    out.emulator = "/usr/bin/qemu";
    out.identity = {.uid = 64055, .gid = 107};
    out.confinement.cgroup_name = "qemu-1-a";
    out.confinement.base_devices = {
        {.path = "/dev/null", .access = Access::read_write, .keep_owner = true, .optional = true}};
    return out;
}
HostLook host() {
    return {.paths = {{"/dev/null", {.kind = SeenKind::char_device, .mode = 0666, .major = 1, .minor = 3}},
                      {"/a.img", {.kind = SeenKind::file, .id = {254, 5}, .mode = 0600}}},
            .dev_submounts = {"/dev/pts"},
            .landlock_abi = 7};
}
Lowered lowered(const LaunchPlan& from) {
    auto out = lower(from, host());
    EXPECT_TRUE(out) << out.error().message;
    return out.value_or(Lowered{});
}

TEST(Lower, TheSamePlanAndHostGiveTheSameOps) {
    EXPECT_EQ(lower(plan(), host()).value(), lower(plan(), host()).value());
}

TEST(Lower, NumbersDescriptorsAndPutsTheNumbersIntoArgv) {
    auto from = plan();
    from.descriptors = {{"monitor", ListenSocket{"/run/m/m.sock", false}, "monitor"},
                        {"tap0", TapDevice{.name = "vnet0"}, "interface"}};
    from.items = {{"chardev", "socket,fd=" + fd_symbol("monitor"), ""},
                  {"netdev", boost::json::object{{"fd", fd_symbol("tap0")}}, ""}};
    const auto out = lowered(from);
    EXPECT_EQ(out.fds, (std::map<std::string, int>{{"monitor", 3}, {"tap0", 4}}));
    EXPECT_EQ(out.script.argv, (std::vector<std::string>{"/usr/bin/qemu", "-chardev", "socket,fd=3",
                                                         "-netdev", R"({"fd":"4"})"}));
    EXPECT_EQ(out.descriptors, (std::vector<Op>{BindSocket{"monitor", "/run/m/m.sock", 0700, {0, 0}},
                                                MakeTap{.symbol = "tap0", .name = "vnet0"}}));
}

TEST(Lower, AFurtherQueueOfATapIsOpenedAndNotMade) {
    auto from = plan();
    const TapDevice tap{.name = "vnet0", .multi_queue = true};
    from.descriptors = {{"q0", tap, ""}, {"q1", tap, ""}};
    const auto out = lowered(from);
    EXPECT_FALSE(std::get<MakeTap>(out.descriptors.at(0)).existing);
    EXPECT_TRUE(std::get<MakeTap>(out.descriptors.at(1)).existing);
    EXPECT_EQ(inverses(out.descriptors), std::vector<Op>{RemoveTap{"vnet0"}});
}

TEST(Lower, AnOptionalFileThatIsNotThereTakesItsItemAlong) {
    auto from = plan();
    from.descriptors = {{"cd", OpenedFile{.path = "/gone.iso", .optional = true}, "disk sda"},
                        {"log", OpenedFile{.path = "/a.img"}, "serial"}};
    from.items = {{"add-fd", "fd=" + fd_symbol("cd"), ""}, {"add-fd", "fd=" + fd_symbol("log"), ""}};
    const auto out = lowered(from);
    EXPECT_EQ(out.fds, (std::map<std::string, int>{{"log", 3}}));
    EXPECT_EQ(out.script.argv, (std::vector<std::string>{"/usr/bin/qemu", "-add-fd", "fd=3"}));
    EXPECT_EQ(out.notes,
              std::vector<std::string>(
                  {"disk sda: left out, the file is not there",
                   "cgroup: this host has neither a v2 hierarchy nor the v1 controller 'devices'"}));
}

TEST(Lower, TheMonitorsFolderIsRootsAndStays) {
    auto from = plan();
    from.descriptors = {{"monitor", ListenSocket{"/run/m/m.sock", false}, ""}};
    EXPECT_EQ(lowered(from).directories, (std::vector<Op>{MakeDirectory{"/run/m", 0700, {0, 0}, true}}));
    from.directories = {{"/run/m", 0700, false}};
    EXPECT_EQ(lowered(from).directories, (std::vector<Op>{MakeDirectory{"/run/m", 0700, {0, 0}, false}}));
}

TEST(Lower, ALaterVariableTakesThePlaceOfAnEarlierOne) {
    auto from = plan();
    from.env = {{"HOME", "/a", ""}, {"PATH", "/bin", ""}, {"HOME", "/b", "qemu:env"}, {"EMPTY", "", ""}};
    EXPECT_EQ(lowered(from).script.env, (std::vector<std::string>{"HOME=/b", "PATH=/bin", "EMPTY="}));
}

TEST(Lower, TheScriptCarriesEveryLayer) {
    auto from = plan();
    from.confinement.limits.memlock = 9;
    from.confinement.kept_capabilities = {"sys_rawio"};
    const auto script = lowered(from).script;
    EXPECT_EQ(script.uid, 64055U);
    EXPECT_EQ(script.groups, std::vector<std::uint32_t>{107});
    EXPECT_EQ(script.kept_capabilities, 1U << 17);
    EXPECT_TRUE(script.no_new_privs && script.landlock && script.mount_namespace &&
                script.clear_capabilities);
    EXPECT_EQ(script.dev_submounts, std::vector<std::string>{"/dev/pts"});
    EXPECT_FALSE(lowered(from).seccomp.rules.empty());
    from.confinement.own_seccomp = from.confinement.landlock = from.confinement.mount_namespace = false;
    EXPECT_EQ(lowered(from).seccomp, SeccompPolicy{});
    EXPECT_FALSE(lowered(from).script.landlock);
    EXPECT_EQ(lowered(from).devices, std::vector<Op>{});
}

TEST(Lower, ACapabilityThatTheDaemonLacksIsNotPromised) {
    auto from = plan();
    from.confinement.kept_capabilities = {"sys_rawio", "sys_resource"};
    auto look = host();
    look.own_capabilities = 1U << 17;
    const auto out = lower(from, look);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->script.kept_capabilities, 1U << 17);
    EXPECT_EQ(out->notes.back(), "capabilities: the daemon itself does not have sys_resource");
}

TEST(Lower, AGrantedFileThatIsNotThereIsAnErrorThatNamesItsDevice) {
    auto from = plan();
    from.grants = {{.path = "/gone.img", .kind = Kind::file, .why = "disk vda"}};
    const auto out = lower(from, host());
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().message, "Cannot access '/gone.img' (disk vda): No such file or directory");
    from.grants[0].optional = true;
    EXPECT_TRUE(lower(from, host()));
    from.grants[0].optional = false;
    from.files = {{.path = "/gone.img"}};
    EXPECT_TRUE(lower(from, host())) << "the launch makes it";
}

TEST(Lower, ATapOfSomebodyElseIsNotTakenSoThatItIsNotRemovedEither) {
    auto from = plan();
    from.descriptors = {{"t", TapDevice{.name = "vnet0"}, "interface"}};
    auto look = host();
    look.interfaces = {"vnet0"};
    const auto out = lower(from, look);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().message, "Unable to create tap device vnet0: Device or resource busy");
    std::get<TapDevice>(from.descriptors[0].what).persistent = true;
    EXPECT_TRUE(lower(from, look));
}

TEST(Lower, AHelperKeepsLessThanQemu) {
    auto from = plan();
    from.confinement.kept_capabilities = {"sys_rawio"};
    from.helpers = {{.name = "swtpm", .argv = {"/usr/bin/swtpm", "socket"}, .uid = 101, .gid = 102}};
    const auto script = lowered(from).helpers.at(0);
    EXPECT_EQ(script.program, "/usr/bin/swtpm");
    EXPECT_EQ(script.uid, 101U);
    EXPECT_EQ(script.groups, std::vector<std::uint32_t>{102});
    EXPECT_EQ(script.kept_capabilities, 0U);
    EXPECT_TRUE(script.no_new_privs && script.landlock);
    EXPECT_FALSE(script.mount_namespace);
}

TEST(Lower, AHotPlugAddsOnlyWhatTheGuestHasNot) {
    auto running = plan();
    DevicePlan added;
    added.grants = {{.path = "/dev/null", .access = Access::read_write},
                    {.path = "/a.img", .kind = Kind::file, .access = Access::read_write, .why = "disk vdb"}};
    auto look = host();
    look.cgroups = {.hierarchies = {{"/cg", {}, true}}};
    const ProcessId guest{7, 8, "b"};
    const DeviceRule pty{NodeType::char_device, 136, {}, true, true, false},
        null{NodeType::char_device, 1, 3, true, true, false};
    const std::vector<Op> owner{GiveFile{.path = "/a.img",
                                         .id = {254, 5},
                                         .owner = {64055, 107},
                                         .holder = running.name + ": disk vdb",
                                         .remember = true}};
    EXPECT_EQ(lower_hotplug(running, added, look, guest, {null, pty}).value(), owner);
    running.confinement.base_devices.clear();
    EXPECT_EQ(
        lower_hotplug(running, added, look, guest, {pty}).value(),
        (std::vector<Op>{MakeNode{guest, "/dev/null", NodeType::char_device, 1, 3, 0666, {64055, 107}, ""},
                         AddDevices{DeviceBackend::bpf, "/cg/machine/qemu-1-a.cloister", {null}}, owner[0]}));
}

TEST(PathsOf, NamesEverythingThatLoweringAsksFor) {
    auto from = plan();
    from.grants = {{.path = "/a.img"}};
    from.files = {{.path = "/nvram"}};
    from.descriptors = {{"m", ListenSocket{"/run/m/m.sock"}, ""}, {"f", OpenedFile{.path = "/f"}, ""}};
    EXPECT_EQ(paths_of(from, {.hierarchies = {{"/cg", {}, true}}}),
              (std::vector<std::string>{"/a.img", "/cg/machine", "/dev/null", "/f", "/nvram", "/run/m"}));
}

} // namespace
} // namespace cloister
