#include "security/apparmor.hpp"
#include "security/lower.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace cloister {
namespace {

LaunchPlan plan() {
    LaunchPlan out{.name = "vm",
                   .emulator = "/usr/bin/qemu-system-x86_64",
                   .paths = {.log = "/var/log/cloister/qemu/vm.log"}};
    out.identity.apparmor_profile =
        apparmor_profile_name(*parse_uuid("c7a5fdbd-edaf-9455-926a-d65c16db1809"));
    out.identity.make_apparmor_profile = true;
    out.confinement.use_cgroups = false;
    out.confinement.base_devices = {{.path = "/dev/kvm",
                                     .kind = Kind::char_device,
                                     .access = Access::read_write,
                                     .sharing = Sharing::shared,
                                     .keep_owner = true,
                                     .optional = true,
                                     .why = "qemu.conf cgroup_device_acl"}};
    out.grants = {
        {.path = "/images/a*b.qcow2", .kind = Kind::file, .access = Access::read_write, .why = "disk vda"},
        {.path = "/images/base.qcow2",
         .kind = Kind::file,
         .access = Access::read,
         .why = "disk vda, below\nthe top"},
        {.path = "/link", .kind = Kind::file, .access = Access::read, .why = "qemu:arg 2"},
        {.path = "/srv/share", .kind = Kind::directory, .access = Access::read, .why = "filesystem fs0"}};
    out.directories = {{.path = "/var/lib/cloister/qemu/domain-1-vm"},
                       {.path = "/run/cloister/monitor", .guest_owned = false}};
    out.files = {{.path = "/var/lib/cloister/qemu/nvram/vm.fd", .keep = true}};
    out.descriptors = {{"monitor", ListenSocket{"/run/cloister/monitor/sock"}, "monitor"},
                       {"tap0", TapDevice{.name = "vnet0"}, "interface net0"},
                       {"serial", OpenedFile{.path = "/var/log/serial", .append = true}, "serial0"}};
    out.helpers = {{.name = "swtpm",
                    .argv = {"/usr/bin/swtpm", "socket"},
                    .socket = "/var/lib/cloister/qemu/domain-1-vm/swtpm.sock",
                    .directories = {{.path = "/var/lib/cloister/qemu/swtpm/x"}},
                    .why = "tpm0"}};
    out.confinement.kept_capabilities = {"sys_rawio"};
    return out;
}
HostLook look() {
    HostLook out;
    out.paths["/link"] = {.kind = SeenKind::symlink, .target = "there", .next = "/there"};
    out.paths["/there"] = {.kind = SeenKind::file, .real = "/real/there"};
    out.paths["/srv/share"] = {.kind = SeenKind::directory};
    return out;
}
std::string own_part(const std::string& profile) { return profile.substr(profile.find("  capability")); }

TEST(AppArmor, TheProfileHasOneRuleForEachGrantWithWhoAskedForIt) {
    EXPECT_EQ(own_part(apparmor_profile(plan(), look())), R"(  capability sys_rawio,

  # the program
  "/usr/bin/qemu-system-x86_64" mr, # emulator

  # what of the host it may touch
  "/dev/kvm" rwk, # qemu.conf cgroup_device_acl
  "/images/a\*b.qcow2" rwk, # disk vda
  "/images/base.qcow2" rk, # disk vda, below the top
  "/real/there" rk, # qemu:arg 2
  "/srv/share/" r, # filesystem fs0
  "/srv/share/**" r, # filesystem fs0

  # what is made for it
  "/var/lib/cloister/qemu/domain-1-vm/" r, # made for it
  "/var/lib/cloister/qemu/domain-1-vm/**" rwkl, # made for it
  "/var/lib/cloister/qemu/nvram/vm.fd" rwk, # made for it

  # what it inherits open
  "/var/log/cloister/qemu/vm.log" w, # its log
  "/run/cloister/monitor/sock" rw, # monitor
  "/dev/net/tun" rw, # interface net0
  "/dev/vhost-net" rw, # interface net0
  "/var/log/serial" ak, # serial0

  # the programs beside it
  "/usr/bin/swtpm" mr, # tpm0
  "/var/lib/cloister/qemu/swtpm/x/" r, # tpm0
  "/var/lib/cloister/qemu/swtpm/x/**" rwkl, # tpm0
  "/var/lib/cloister/qemu/domain-1-vm/swtpm.sock" rw, # tpm0
}
)");
}
TEST(AppArmor, TheProfileIsOneGuestsAndNothingIsOpenToEverybody) {
    const auto text = apparmor_profile(plan(), look());
    EXPECT_NE(
        text.find("profile cloister-c7a5fdbd-edaf-9455-926a-d65c16db1809 flags=(attach_disconnected) {"),
        std::string::npos);
    for (const char* hole : {" /** ", "file,", "capability,", "unconfined)", "complain"})
        EXPECT_EQ(text.find(hole), std::string::npos) << hole;
}
TEST(AppArmor, APathMeansNothingButItself) {
    EXPECT_EQ(apparmor_path("/a b"), "\"/a b\"");
    EXPECT_EQ(apparmor_path("/a\"*?[]{}^\\@,\n"), R"("/a\"\*\?\[\]\{\}\^\\\@\,\012")");
}
TEST(AppArmor, TheProfileIsLoadedBeforeTheStartAndRemovedAfterIt) {
    const auto of = plan();
    auto there = look();
    for (const auto& grant : of.grants) there.paths.try_emplace(grant.path, Seen{});
    const auto done = lower(of, there).value();
    const auto profile = std::ranges::find_if(
        done.files, [](const Op& op) { return std::holds_alternative<LoadProfile>(op); });
    ASSERT_NE(profile, done.files.end());
    EXPECT_EQ(std::get<LoadProfile>(*profile).text, apparmor_profile(of, there));
    EXPECT_EQ(inverse(*profile), (std::optional<Op>{RemoveProfile{of.identity.apparmor_profile}}));
    EXPECT_EQ(done.script.apparmor_exec, of.identity.apparmor_profile);
    EXPECT_EQ(done.helpers.at(0).apparmor_exec, of.identity.apparmor_profile);
}
TEST(AppArmor, AProfileOfTheAdministratorsIsOnlyEntered) {
    auto of = plan();
    of.grants.clear();
    of.identity.apparmor_profile = "my-profile";
    of.identity.make_apparmor_profile = false;
    const auto done = lower(of, look()).value();
    EXPECT_TRUE(std::ranges::none_of(done.files,
                                     [](const Op& op) { return std::holds_alternative<LoadProfile>(op); }));
    EXPECT_EQ(done.script.apparmor_exec, "my-profile");
}
TEST(AppArmor, AHotPlugReplacesTheProfileByAWiderOne) {
    auto of = plan();
    of.grants.clear();
    HostLook there = look();
    there.paths["/more"] = {.kind = SeenKind::file};
    const DevicePlan added{
        .grants = {{.path = "/more", .kind = Kind::file, .access = Access::read_write, .why = "disk vdb"}}};
    const auto ops = lower_hotplug(of, added, there, {}, {}).value();
    const auto at =
        std::ranges::find_if(ops, [](const Op& op) { return std::holds_alternative<LoadProfile>(op); });
    ASSERT_NE(at, ops.end());
    const auto& change = std::get<LoadProfile>(*at);
    EXPECT_EQ(change.was, apparmor_profile(of, there));
    EXPECT_NE(change.text.find("\"/more\" rwk, # disk vdb"), std::string::npos);
    const auto back = lower_unplug(of, {}, inverses(ops), added.grants, there, {}).value();
    EXPECT_NE(std::ranges::find(back, Op{LoadProfile{of.identity.apparmor_profile, change.was, ""}}),
              back.end());
}

} // namespace
} // namespace cloister
