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

HostLook two_disks() {
    const Seen a{.kind = SeenKind::block_device, .owner = {0, 6}, .mode = 0660, .major = 7, .minor = 1};
    auto b = a;
    b.minor = 2;
    return {.paths = {{"/dev/a", a},
                      {"/dev/b", b},
                      {"/dev/by-id", {.kind = SeenKind::symlink, .target = "a", .next = "/dev/a"}}},
            .cgroups = {.hierarchies = {{"/cg", {}, true}}}};
}
Grant grant_of(std::string path, Access access, std::string why) {
    return {.path = std::move(path), .kind = Kind::block_device, .access = access, .why = std::move(why)};
}
const std::string group = "/cg/machine/qemu-1-a.cloister";
const ProcessId guest{7, 8, "b"};
DeviceRule loop(std::uint32_t minor, bool read, bool write) {
    return {NodeType::block_device, 7, minor, read, write, false};
}

TEST(Lower, AHotPlugAddsOnlyTheRightsThatTheListLacks) {
    DevicePlan added{.grants = {grant_of("/dev/a", Access::read_write, "disk vdb")}};
    const auto ops =
        lower_hotplug(plan(), added, two_disks(), guest,
                      {loop(1, true, false), {NodeType::char_device, 136, {}, true, true, false}})
            .value();
    EXPECT_EQ(std::get<AddDevices>(ops.at(1)).rules, std::vector<DeviceRule>{loop(1, false, true)})
        << "its inverse must leave what was readable before";
}

TEST(Lower, AnUnplugTakesNodesAndRulesOfADeviceThatWasThereFromTheStart) {
    auto running = plan();
    running.grants = {grant_of("/dev/by-id", Access::read_write, "disk vda"),
                      grant_of("/dev/b", Access::read, "disk vdb")};
    const auto look = two_disks();
    const auto lowered = lower(running, look).value();
    auto left = running;
    const std::vector<Grant> released{left.grants.at(0)};
    left.grants.erase(left.grants.begin());
    EXPECT_EQ(lower_unplug(left, lowered, {}, released, look, guest).value(),
              (std::vector<Op>{RemoveNode{guest, "/dev/a", false}, RemoveNode{guest, "/dev/by-id", false},
                               RemoveDevices{DeviceBackend::bpf, group, {loop(1, true, true)}}}));
    auto gone = look; // the host's own node went first
    gone.paths.erase("/dev/a");
    EXPECT_EQ(
        lower_unplug(left, lowered, {}, {grant_of("/dev/a", Access::read_write, "")}, gone, guest).value(),
        (std::vector<Op>{RemoveNode{guest, "/dev/a", false},
                         RemoveDevices{DeviceBackend::bpf, group, {loop(1, true, true)}}}));
}

TEST(Lower, AnUnplugLeavesWhatAnotherDeviceNeeds) {
    auto left = plan();
    left.grants = {grant_of("/dev/a", Access::read, "disk vda")};
    const auto look = two_disks();
    auto lowered = lower(left, look).value();
    lowered.device_rules = {loop(1, true, true)};
    const std::vector<Op> undo{RemoveNode{guest, "/dev/a", false},
                               RemoveDevices{DeviceBackend::bpf, group, {loop(1, true, true)}},
                               Chown{"/dev/a", {}, {0, 0}, {5, 5}}, RemoveFile{"/x"}};
    EXPECT_EQ(
        lower_unplug(left, lowered, undo, {grant_of("/dev/a", Access::read_write, "disk vdb")}, look, guest)
            .value(),
        (std::vector<Op>{RemoveDevices{DeviceBackend::bpf, group, {loop(1, false, true)}},
                         RemoveFile{"/x"}}));
}

TEST(Lower, WhatIsExpectedFollowsWhatWasDone) {
    Lowered expected;
    const Op node = MakeNode{.guest = guest, .path = "/dev/a"};
    note_changes(expected, {node, AddDevices{DeviceBackend::bpf, group, {loop(1, true, false)}}});
    note_changes(expected,
                 {AddDevices{DeviceBackend::bpf, group, {loop(1, false, true), loop(2, true, true)}}});
    EXPECT_EQ(expected.devices, std::vector<Op>{node});
    EXPECT_EQ(expected.device_rules, (std::vector<DeviceRule>{loop(1, true, true), loop(2, true, true)}));
    note_changes(expected,
                 {RemoveNode{guest, "/dev/a", false},
                  RemoveDevices{DeviceBackend::bpf, group, {loop(1, true, true), loop(2, false, true)}}});
    EXPECT_EQ(expected.devices, std::vector<Op>{});
    EXPECT_EQ(expected.device_rules, std::vector<DeviceRule>{loop(2, true, false)});
}

TEST(Multipath, TheDisksBehindAMultipathDeviceAreGivenWithTheHostsOwner) {
    auto look = two_disks();
    look.paths["/dev/m"] = {.kind = SeenKind::block_device,
                            .owner = {0, 6},
                            .mode = 0660,
                            .major = 253,
                            .multipath = {"/dev/a", "/dev/b"}};
    auto from = plan();
    from.grants = {grant_of("/dev/m", Access::read, "disk vda")};
    const auto out = lower(from, look).value();
    EXPECT_EQ(out.device_rules.size(), 4U) << "the device, its two disks, and the pseudo-terminals";
    std::map<std::string, Owner> owners;
    for (const auto& op : out.devices)
        if (const auto* node = std::get_if<MakeNode>(&op)) owners[node->path] = node->owner;
    EXPECT_EQ(owners, (std::map<std::string, Owner>{
                          {"/dev/a", {0, 6}}, {"/dev/b", {0, 6}}, {"/dev/m", {64055, 107}}}));
    for (const auto& rule : out.device_rules)
        if (rule.type == NodeType::block_device) {
            EXPECT_FALSE(rule.write);
        }
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
