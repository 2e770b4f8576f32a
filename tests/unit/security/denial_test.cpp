#include "security/denial.hpp"
#include "security/qemu_sandbox.hpp"

#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>

using namespace cloister;

namespace {

constexpr std::uint32_t file = 0100000, folder = 0040000, char_device = 0020000, block_device = 0060000;
constexpr std::uint32_t guest = 64055;

Tried owned(std::uint32_t type, std::uint32_t mode, std::uint32_t uid = 0, std::uint32_t gid = 0) {
    return {.type = type, .mode = mode, .uid = uid, .gid = gid};
}
Tried device(std::uint32_t type, std::uint32_t major, std::uint32_t minor) {
    auto out = owned(type, 0666);
    out.major = major;
    out.minor = minor;
    return out;
}
Tried missing() { return {.error = ENOENT, .stuck = 4, .type = folder, .mode = 0755}; }

/// One path that QEMU was refused, and exited with status 1.
DeathFacts exited(PathFacts path, std::vector<DeviceRule> rules = {}) {
    return {.known = true,
            .code = 1,
            .uid = guest,
            .rules = std::move(rules),
            .paths = {std::move(path)},
            .named = true};
}

struct Case {
    const char* name;
    DeathFacts facts;
    Layer layer;
    const char* sentence;
};

std::vector<Case> cases() {
    auto read_list = device(block_device, 7, 7);
    read_list.write_error = EPERM;
    auto refused = device(block_device, 7, 7);
    refused.read_error = refused.write_error = EPERM;
    auto unreadable = owned(file, 0600);
    unreadable.read_error = unreadable.write_error = EACCES;
    auto unwritable = owned(file, 0644);
    unwritable.write_error = EACCES;
    auto by_list = unreadable;
    by_list.has_acl = 1;
    auto by_module = owned(file, 0666);
    by_module.read_error = EACCES;
    auto immutable = owned(file, 0666, guest, guest);
    immutable.write_error = EPERM;
    immutable.immutable = 1;
    auto read_only = owned(file, 0666, guest, guest);
    read_only.write_error = EROFS;
    read_only.read_only = 1;
    auto here = owned(file, 0666, guest, guest);
    auto nodev = device(char_device, 1, 3);
    nodev.no_devices = 1;
    Tried closed{.error = EACCES, .stuck = 8, .type = folder, .mode = 0700};
    const DeviceRule for_reading{.type = NodeType::block_device, .major = 7, .minor = 7, .read = true};
    const DeviceRule both{
        .type = NodeType::block_device, .major = 7, .minor = 7, .read = true, .write = true};
    return {
        {"a device that is not in the private dev",
         exited({"/dev/input/event3", "qemu:arg 4", ENOENT, device(char_device, 13, 67), missing()}),
         Layer::mountns,
         "/dev/input/event3: not in the guest's /dev (mount namespace); it was named by qemu:arg 4; to grant "
         "it, "
         "name it in a device of the definition, or to every guest in cgroup_device_acl of qemu.conf"},
        {"a file that only the host has", exited({"/mnt/x", "", ENOENT, owned(file, 0644), missing()}),
         Layer::mountns, "/mnt/x: exists on the host, but not in the guest's mount namespace"},
        {"a path that is nowhere", exited({"/no/where", "qemu:arg 2", ENOENT, missing(), missing()}),
         Layer::none,
         "/no/where: does not exist on the host either, so no layer of the confinement refused it; it was "
         "named "
         "by qemu:arg 2"},
        {"a device that is not listed",
         exited({"/dev/loop7", "qemu:arg 2", EPERM, device(block_device, 7, 7), refused}), Layer::cgroup,
         "/dev/loop7: device b 7:7 is not on the guest's device list (cgroup); it was named by qemu:arg 2; "
         "to "
         "grant it, name it in a device of the definition, or to every guest in cgroup_device_acl of "
         "qemu.conf"},
        {"a device that is listed for reading only",
         exited({"/dev/loop7", "", EPERM, device(block_device, 7, 7), read_list}, {for_reading}),
         Layer::cgroup, "/dev/loop7: device b 7:7 is on the guest's device list (cgroup) for reading only"},
        {"a device that is listed and refused all the same",
         exited({"/dev/loop7", "", EPERM, device(block_device, 7, 7), refused}, {both}), Layer::cgroup,
         "/dev/loop7: refused though device b 7:7 is on the guest's own device list: a group above it in the "
         "host's control groups may not have it (a guess)"},
        {"a file of root's", exited({"/a/b", "qemu:arg 1", EACCES, owned(file, 0600), unreadable}),
         Layer::dac,
         "/a/b: user 64055 may not read it (DAC: it belongs to 0:0, mode 0600); it was named by qemu:arg 1"},
        {"a file that may only be read", exited({"/a/b", "", EACCES, owned(file, 0644), unwritable}),
         Layer::dac, "/a/b: user 64055 may not write it (DAC: it belongs to 0:0, mode 0644)"},
        {"an access list", exited({"/a/b", "", EACCES, owned(file, 0600), by_list}), Layer::dac,
         "/a/b: user 64055 may not read it (DAC: it belongs to 0:0, mode 0600, with an access list)"},
        {"a folder on the way", exited({"/secrets/x/y", "disk vda", EACCES, owned(file, 0644), closed}),
         Layer::dac,
         "/secrets/x/y: user 64055 may not search the folder '/secrets' on the way (DAC: it belongs to 0:0, "
         "mode "
         "0700); it was named by disk vda"},
        {"a security module", exited({"/a/b", "", EACCES, owned(file, 0666), by_module}), Layer::selinux,
         "/a/b: user 64055 would be let in by owner and mode (0:0, 0666), so a security module refused it (a "
         "guess: SELinux or AppArmor)"},
        {"an immutable file", exited({"/a/b", "", EPERM, immutable, immutable}), Layer::none,
         "/a/b: the file is immutable or append-only (chattr), which no user may write"},
        {"a mount that is read-only for the guest alone", exited({"/a/b", "", EROFS, here, read_only}),
         Layer::mountns, "/a/b: mounted read-only in the guest's mount namespace"},
        {"a mount that is read-only for everybody", exited({"/a/b", "", EROFS, read_only, read_only}),
         Layer::none,
         "/a/b: its file system is mounted read-only on the host, so no layer of the confinement refused "
         "writing"},
        {"no device nodes there", exited({"/srv/null", "", EACCES, nodev, nodev}), Layer::mountns,
         "/srv/null: a device node on a file system that is mounted without devices (nodev)"},
        {"what only an open is asked", exited({"/a/b", "", EACCES, owned(file, 0666), owned(file, 0666)}),
         Layer::landlock,
         "/a/b: owner, mode and device list would let user 64055 in, so what judges an open refused it (a "
         "guess: "
         "Landlock or another security module)"},
        {"a view that is gone", exited({"/a/b", "", EACCES, owned(file, 0600), std::nullopt}), Layer::dac,
         "/a/b: probably refused by owner and mode (DAC) (a guess: the guest's view of it is gone)"},
        {"our own filter",
         {.known = true, .signal = SIGSYS, .syscall = "mount"},
         Layer::seccomp,
         "a seccomp filter killed QEMU (SIGSYS) for the system call 'mount': cloister's own filter forbids "
         "it, "
         "because it changes what is mounted, or where the root is"},
        {"QEMU's filter",
         {.known = true, .signal = SIGSYS, .syscall = "clone", .spawns = "qemu:arg 2"},
         Layer::seccomp,
         "a seccomp filter killed QEMU (SIGSYS) for the system call 'clone', which QEMU's own -sandbox "
         "spawn=deny "
         "forbids; qemu:arg 2 asks QEMU to run a program"},
        {"a filter, and no kernel log",
         {.known = true, .signal = SIGSYS, .spawns = "qemu:arg 2"},
         Layer::seccomp,
         "a seccomp filter killed QEMU (SIGSYS), probably for running a program, which qemu:arg 2 asks for "
         "and "
         "-sandbox spawn=deny forbids (a guess: the kernel's log does not tell the system call)"},
        {"another signal", {.known = true, .signal = SIGKILL}, Layer::none, "signal 9 ended QEMU"},
    };
}

TEST(Denial, EveryLayerIsNamed) {
    for (const auto& one : cases()) {
        const auto what = one.facts.paths.empty() ? one.facts.syscall.value_or("") : one.facts.paths[0].path;
        EXPECT_EQ(denials(one.facts), (std::vector<Denial>{{one.layer, one.sentence, what}})) << one.name;
    }
}

TEST(Denial, WhatQemuNeverComplainedAboutIsNoDenial) {
    auto unwritable = owned(file, 0644);
    unwritable.write_error = EACCES;
    EXPECT_TRUE(
        denials(exited({"/usr/share/firmware", "firmware", 0, owned(file, 0644), unwritable})).empty())
        << "named without a reason: it may be read, and reading was all";
    EXPECT_TRUE(denials(exited({"/a", "", ENOENT, owned(file, 0644), owned(file, 0644)})).empty())
        << "there by now, for the guest too";
    EXPECT_TRUE(denials({.known = true}).empty());
}

TEST(Denial, APathThatQemuDidNotNameIsCalledAGuess) {
    auto facts = exited({"/dev/fuse", "qemu:arg 2", 0, device(char_device, 10, 229), missing()});
    facts.named = false;
    const auto found = denials(facts);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].layer, Layer::mountns);
    EXPECT_TRUE(found[0].sentence.starts_with("a guess, because QEMU names no path: /dev/fuse: not in"));
}

TEST(DenialFacts, PathsAndReasonsAreReadFromTheMessage) {
    const auto found =
        paths_in("2026Z qemu-system-x86_64: -drive file=/dev/a b,if=none: Could not open '/dev/a b': "
                 "No such file or directory\n"
                 "qemu: can't open /x/y: Permission denied\nno path / here, nor a/b\n");
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].path, "/dev/a");
    EXPECT_EQ(found[1].path, "/dev/a b");
    EXPECT_EQ(found[1].said, ENOENT);
    EXPECT_EQ(found[2].path, "/x/y");
    EXPECT_EQ(found[2].said, EACCES);
}

TEST(DenialFacts, ThePlanTellsWhoNamedAPath) {
    LaunchPlan plan;
    plan.items = {{"", "-drive", "qemu:arg 1"},
                  {"", "if=none,file=/a,,b.img,format=raw", "qemu:arg 2"},
                  {"blockdev", boost::json::object{{"driver", "file"}, {"filename", "/c"}}, "disk vda"},
                  {"", "bridge,id=n", "qemu:arg 4"}};
    const auto found = paths_in(plan);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0], (PathFacts{.path = "/a,b.img", .why = "qemu:arg 2"}));
    EXPECT_EQ(found[1], (PathFacts{.path = "/c", .why = "disk vda"}));
    EXPECT_EQ(spawner_in(plan), "qemu:arg 4");
    plan.items.pop_back();
    plan.items.push_back({"netdev", "tap,script=no,downscript=no,id=n", "x"});
    EXPECT_EQ(spawner_in(plan), "");
    plan.items.push_back({"netdev", "tap,script=/bin/x,downscript=no,id=n", "qemu:arg 9"});
    EXPECT_EQ(spawner_in(plan), "qemu:arg 9");
}

TEST(DenialFacts, TheSyscallIsReadFromTheKernelsAuditLines) {
    const std::string log =
        "5,1,2,-;audit: type=1326 audit(1.1:17): auid=1 uid=5 pid=139 comm=\"qemu\" exe=\"/q\" sig=31 "
        "arch=c000003e syscall=41 compat=0\n"
        "5,1,2,-;audit: type=1326 audit(1.1:18): auid=1 uid=5 pid=1394 comm=\"qemu\" exe=\"/q\" sig=31 "
        "arch=c000003e syscall=56 compat=0\n"
        "5,1,2,-;audit: type=1326 audit(1.1:19): pid=1394 sig=0 syscall=3\n";
    EXPECT_EQ(syscall_in(log, 1394), 56);
    EXPECT_EQ(syscall_in(log, 139), 41);
    EXPECT_EQ(syscall_in(log, 13), std::nullopt);
}

TEST(QemuSandbox, NamesTheWordThatForbidsACall) {
    EXPECT_EQ(sandbox_word("clone"), "spawn=deny");
    EXPECT_EQ(sandbox_word("setuid"), "elevateprivileges=deny");
    EXPECT_EQ(sandbox_word("setpriority"), "resourcecontrol=deny");
    EXPECT_EQ(sandbox_word("uselib"), "obsolete=deny");
    EXPECT_EQ(sandbox_word("reboot"), "on");
    EXPECT_EQ(sandbox_word("open"), "");
    EXPECT_EQ(sandbox_word("set"), "");
    EXPECT_EQ(sandbox_word(""), "");
}

PathFacts labelled(LabelFacts found) {
    return {.path = "/a/b",
            .why = "qemu:arg 2",
            .said = EACCES,
            .host = owned(file, 0666),
            .guest = owned(file, 0666),
            .selinux = std::move(found)};
}
DeathFacts under_selinux(LabelFacts found) {
    auto out = exited(labelled(std::move(found)));
    out.context = "u:r:svirt_t:s0:c1,c2";
    out.image_context = "u:object_r:svirt_image_t:s0:c1,c2";
    out.shared_context = "u:object_r:svirt_image_t:s0";
    out.content_context = "u:object_r:virt_content_t:s0";
    return out;
}
Denial only(const DeathFacts& facts) {
    const auto all = denials(facts);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? Denial{} : all.front();
}

TEST(DenialBySelinux, NamesTheLabelFoundAndTheLabelsNeeded) {
    const std::string other = "u:object_r:svirt_image_t:s0:c7,c9";
    const auto refused = only(under_selinux({.label = other, .may_read = false, .may_write = false}));
    EXPECT_EQ(refused.layer, Layer::selinux);
    EXPECT_EQ(refused.sentence,
              "/a/b: refused by SELinux: QEMU runs as u:r:svirt_t:s0:c1,c2, and the file is labelled "
              "u:object_r:svirt_image_t:s0:c7,c9; it needs u:object_r:svirt_image_t:s0:c1,c2, or "
              "u:object_r:svirt_image_t:s0 when guests share it, or u:object_r:virt_content_t:s0 to be "
              "only read; it was named by qemu:arg 2");
    EXPECT_EQ(
        only(under_selinux({.label = "u:object_r:virt_content_t:s0", .may_read = true, .may_write = false}))
            .sentence,
        "/a/b: writing was refused by SELinux: QEMU runs as u:r:svirt_t:s0:c1,c2, and the file is "
        "labelled u:object_r:virt_content_t:s0; it needs u:object_r:svirt_image_t:s0:c1,c2, or "
        "u:object_r:svirt_image_t:s0 when guests share it; it was named by qemu:arg 2");
    EXPECT_EQ(
        only(under_selinux({.label = other,
                            .may_read = true,
                            .may_write = true,
                            .folder = "/a",
                            .folder_label = "u:object_r:admin_home_t:s0"}))
            .sentence,
        "/a/b: refused by SELinux: QEMU runs as u:r:svirt_t:s0:c1,c2 and may not search the folder '/a' on "
        "the way, which is labelled u:object_r:admin_home_t:s0; it was named by qemu:arg 2");
}
TEST(DenialBySelinux, IsAGuessWhereThePolicyCouldNotBeAskedAndNoneWhereItAllows) {
    EXPECT_NE(
        only(under_selinux({.label = "u:object_r:etc_t:s0"})).sentence.find("(a guess: the policy could not"),
        std::string::npos);
    EXPECT_EQ(only(under_selinux({.label = "x", .may_read = true, .may_write = true})).layer,
              Layer::landlock);
    auto not_confined = under_selinux({.label = "x", .may_read = false, .may_write = false});
    not_confined.context.clear();
    EXPECT_EQ(only(not_confined).layer, Layer::landlock);
}
TEST(DenialBySelinux, ComesAfterOwnerAndMode) {
    auto facts = under_selinux({.label = "x", .may_read = false, .may_write = false});
    facts.paths[0].guest->mode = 0600;
    facts.paths[0].guest->read_error = facts.paths[0].guest->write_error = EACCES;
    EXPECT_EQ(only(facts).layer, Layer::dac);
}

TEST(DenialByAppArmor, IsSureWhereTheKernelsLogHasIt) {
    auto facts = exited(labelled({}));
    facts.profile = "cloister-x";
    EXPECT_EQ(only(facts).layer, Layer::apparmor);
    EXPECT_EQ(only(facts).sentence,
              "/a/b: refused by AppArmor (a guess: owner and mode would let user 64055 in, and the "
              "profile 'cloister-x' allows only what was granted); it was named by qemu:arg 2");
    facts.paths[0].apparmor_said_no = true;
    EXPECT_EQ(only(facts).sentence,
              "/a/b: refused by AppArmor: the profile 'cloister-x' has no rule that allows "
              "it; it was named by qemu:arg 2; to grant it, name it in a device of the "
              "definition");
}
TEST(DenialByAppArmor, IsFoundInTheKernelsLogByProfile) {
    const std::string_view log =
        "5,812,1;audit: type=1400 audit(1:2): apparmor=\"DENIED\" operation=\"open\" class=\"file\" "
        "profile=\"cloister-x\" name=\"/srv/a b\" pid=9 comm=\"qemu\" requested_mask=\"r\"\n"
        "5,813,1;audit: apparmor=\"DENIED\" operation=\"open\" profile=\"cloister-y\" name=\"/other\"\n"
        "5,814,1;audit: apparmor=\"ALLOWED\" operation=\"open\" profile=\"cloister-x\" name=\"/fine\"\n"
        "5,815,1;audit: apparmor=\"DENIED\" operation=\"open\" profile=\"cloister-x\" name=2F610A\n";
    EXPECT_EQ(refused_by_apparmor(log, "cloister-x"), std::vector<std::string>{"/srv/a b"});
}

} // namespace
