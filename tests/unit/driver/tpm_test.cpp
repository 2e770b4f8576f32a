#include "device_world.hpp"

using namespace cloister;
using namespace cloister::test;

namespace {

TEST(TpmEmulatorPlan, StartsSwtpmBesideTheGuestAsItsOwnUser) {
    auto world = World{}.has({"tpm-crb"});
    world.domain.uuid = parse_uuid("80b3046a-f22a-4e34-81c0-40bc24ac507f");
    world.paths.tpm_socket = "/run/t/swtpm.sock";
    world.paths.tpm_state = "/var/tpm/U";
    world.paths.tpm_log = "/log/vm-swtpm.log";
    const auto made = world.planned<Tpm>("<tpm model='tpm-crb'><backend type='emulator'/></tpm>");
    EXPECT_EQ(World::words_of(made), (Words{"-chardev", "socket,id=chrtpm,path=/run/t/swtpm.sock", "-tpmdev",
                                            "emulator,id=tpm-tpm0,chardev=chrtpm", "-device",
                                            R"({"driver":"tpm-crb","tpmdev":"tpm-tpm0","id":"tpm0"})"}));
    ASSERT_EQ(made.helpers.size(), 1u);
    const auto& swtpm = made.helpers[0];
    EXPECT_EQ(swtpm.argv,
              (Words{"/usr/bin/swtpm", "socket", "--ctrl", "type=unixio,path=/run/t/swtpm.sock,mode=0660",
                     "--tpmstate", "dir=/var/tpm/U/tpm2,mode=0600", "--terminate", "--log",
                     "file=/log/vm-swtpm.log", "--tpm2"}));
    EXPECT_EQ(swtpm.setup, (Words{"/usr/bin/swtpm_setup", "--tpm2", "--tpm-state", "/var/tpm/U/tpm2",
                                  "--vmid", "vm:80b3046a-f22a-4e34-81c0-40bc24ac507f", "--logfile",
                                  "/log/vm-swtpm.log", "--createek", "--create-ek-cert",
                                  "--create-platform-cert", "--lock-nvram", "--not-overwrite"}));
    EXPECT_EQ(swtpm.setup_unless, "/var/tpm/U/tpm2/tpm2-00.permall");
    EXPECT_EQ(swtpm.socket, "/run/t/swtpm.sock");
    EXPECT_EQ(swtpm.uid, 102u);
    EXPECT_EQ(swtpm.gid, 64055u); // the guest's group: QEMU connects to the socket through it
    EXPECT_EQ(swtpm.directories, (std::vector<MadeDirectory>{
                                     {.path = "/run/t", .mode = 0710},
                                     {.path = "/var/tpm", .mode = 0711, .guest_owned = false, .keep = true},
                                     {.path = "/var/tpm/U", .mode = 0711, .keep = true},
                                     {.path = "/var/tpm/U/tpm2", .mode = 0700, .keep = true}}));
}

TEST(TpmEmulatorPlan, KeepsTheKeyOfAnEncryptedTpmInAFileOfSwtpm) {
    auto world = World{}.has({"tpm-tis"});
    world.reserved.secrets["uuid:b4a117f1-8af2-44a4-91b8-7f0d2d4d68a3"] = "pass";
    const auto made = world.planned<Tpm>(
        "<tpm><backend type='emulator'><encryption secret='b4a117f1-8af2-44a4-91b8-7f0d2d4d68a3'/>"
        "<active_pcr_banks><sha512/><sha256/></active_pcr_banks></backend></tpm>");
    ASSERT_EQ(made.helpers.size(), 1u);
    EXPECT_EQ(made.helpers[0].files,
              (std::vector<MadeFile>{{.path = "/state/swtpm/key", .content = "pass", .mode = 0600}}));
    EXPECT_EQ(made.helpers[0].argv.back(), "pwdfile=/state/swtpm/key,mode=aes-256-cbc");
    EXPECT_EQ(made.helpers[0].setup->back(), "sha256,sha512");
}

TEST(TpmEmulatorPlan, RefusesAnUnknownSecretAndAnUnknownUser) {
    auto world = World{}.has({"tpm-tis"});
    const auto encrypted =
        world.plan_of<Tpm>("<tpm><backend type='emulator'><encryption "
                           "secret='b4a117f1-8af2-44a4-91b8-7f0d2d4d68a3'/></backend></tpm>");
    ASSERT_FALSE(encrypted);
    EXPECT_EQ(encrypted.error().code, Code::no_secret);
    world.conf.swtpm_user = "nobody-here";
    const auto r = world.plan_of<Tpm>("<tpm><backend type='emulator'/></tpm>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "swtpm's user and group 'nobody-here:tss' are not known on this host");
}

TEST(TpmPassthroughPlan, OpensTheDeviceForQemu) {
    auto world = World{}.has({"tpm-tis"});
    world.facts.paths["/sys/class/tpm/tpm0/device/cancel"] = {.kind = PathKind::file};
    const auto made = world.planned<Tpm>("<tpm><backend type='passthrough'/></tpm>");
    EXPECT_EQ(
        World::words_of(made),
        (Words{"-add-fd", "set={tpm0-tpm},fd={tpm0-tpm},opaque=tpm0-tpm", "-add-fd",
               "set={tpm0-cancel},fd={tpm0-cancel},opaque=tpm0-cancel", "-tpmdev",
               "passthrough,id=tpm-tpm0,path=/dev/fdset/{tpm0-tpm},cancel-path=/dev/fdset/{tpm0-cancel}",
               "-device", R"({"driver":"tpm-tis","tpmdev":"tpm-tpm0","id":"tpm0"})"}));
    EXPECT_EQ(made.descriptors,
              (std::vector<Descriptor>{
                  {"tpm0-tpm", OpenedFile{.path = "/dev/tpm0"}, "tpm tpm0"},
                  {"tpm0-cancel", OpenedFile{.path = "/sys/class/tpm/tpm0/device/cancel"}, "tpm tpm0"}}));
    EXPECT_EQ(made.grants, std::vector<Grant>{}); // an open descriptor needs no permission
}

TEST(TpmRules, KnowWhichInterfaceAndVersionGoTogether) {
    const auto r =
        World{}.checked<Tpm>("<tpm model='tpm-crb'><backend type='emulator' version='1.2'/></tpm>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "Unsupported interface 'tpm-crb' for TPM 1.2");
}

} // namespace
