#include "security/file_labels.hpp"
#include "security/lower.hpp"

#include <gtest/gtest.h>

namespace cloister {
namespace {

const Identity guest{.uid = 64055,
                     .gid = 64055,
                     .process_context = "system_u:system_r:svirt_t:s0:c1,c2",
                     .image_context = "system_u:object_r:svirt_image_t:s0:c1,c2",
                     .shared_context = "system_u:object_r:svirt_image_t:s0",
                     .content_context = "system_u:object_r:virt_content_t:s0",
                     .relabel_selinux = true};
const std::string usual = "system_u:object_r:virt_image_t:s0";

Seen file(std::uint64_t inode, std::string label = usual) {
    return {.kind = SeenKind::file, .id = {1, inode}, .label = std::move(label), .default_label = usual};
}
Grant disk(std::string path) {
    return {.path = std::move(path), .kind = Kind::file, .access = Access::read_write, .why = "disk vda"};
}
std::vector<Op> labelled(const Grant& grant, const HostLook& look, const Identity& who = guest) {
    std::vector<std::string> notes;
    return label_ops({grant}, who, true, look, "vm", notes);
}

TEST(SelinuxFiles, GetOneOfTheThreeLabelsByAccessAndSharing) {
    Grant grant = disk("/a");
    EXPECT_EQ(file_label(grant, guest), "system_u:object_r:svirt_image_t:s0:c1,c2");
    grant.sharing = Sharing::shared;
    EXPECT_EQ(file_label(grant, guest), "system_u:object_r:svirt_image_t:s0");
    grant.access = Access::read;
    EXPECT_EQ(file_label(grant, guest), "system_u:object_r:virt_content_t:s0");
    grant.sharing = Sharing::exclusive;
    EXPECT_EQ(file_label(grant, guest), "system_u:object_r:virt_content_t:s0");
    grant.created_by_us = true;
    EXPECT_EQ(file_label(grant, guest), "system_u:object_r:svirt_image_t:s0:c1,c2") << "its own secrets";
    EXPECT_FALSE(file_label(grant, {})) << "type='none'";
    auto kept = guest;
    kept.relabel_selinux = false;
    EXPECT_FALSE(file_label(grant, kept)) << "relabel='no'";
}
TEST(SelinuxFiles, ADeviceOfTheHostThatManyUseKeepsItsLabel) {
    Grant grant{.path = "/dev/hwrng", .kind = Kind::char_device, .access = Access::read};
    EXPECT_EQ(file_label(grant, guest), guest.image_context)
        << "the policy knows no devices that are content";
    grant.sharing = Sharing::shared;
    EXPECT_FALSE(file_label(grant, guest));
    grant.access = Access::read_write;
    EXPECT_FALSE(file_label(grant, guest));
}
TEST(SelinuxFiles, AnOverrideOfTheirOwnComesFirst) {
    Grant grant = disk("/a");
    grant.overrides = {{"dac", true, "+0:+0"}, {"selinux", true, "system_u:object_r:other_t:s0"}};
    EXPECT_EQ(file_label(grant, guest), "system_u:object_r:other_t:s0");
    grant.overrides = {{"dac", false, {}}};
    EXPECT_EQ(file_label(grant, guest), guest.image_context);
    grant.overrides = {{"", false, {}}};
    EXPECT_FALSE(file_label(grant, guest));
}

TEST(SelinuxFiles, AreHeldByTheGuestAndComeBackToWhatTheyWere) {
    HostLook look;
    look.paths["/a"] = file(7, "system_u:object_r:my_images_t:s0");
    const LabelFile expected{"/a",
                             {1, 7},
                             guest.image_context,
                             "system_u:object_r:my_images_t:s0",
                             "system_u:object_r:my_images_t:s0",
                             "vm: disk vda",
                             false};
    auto forgetful = guest;
    forgetful.remember_owner = false;
    auto to_usual = expected;
    to_usual.back = usual;
    EXPECT_EQ(labelled(disk("/a"), look, forgetful), std::vector<Op>{to_usual})
        << "remember_owner = 0: the policy's default";
    auto remembered = expected;
    remembered.remember = true;
    EXPECT_EQ(labelled(disk("/a"), look), std::vector<Op>{remembered});

    look.paths["/a"].label = guest.image_context; // of another device of it
    look.paths["/a"].former_label = usual;
    EXPECT_EQ(std::get<LabelFile>(labelled(disk("/a"), look).at(0)).back, usual)
        << "not what a guest has made of it";
}
TEST(SelinuxFiles, ThatGuestsShareAreRememberedByUsAlone) {
    HostLook look;
    look.paths["/a"] = file(7);
    auto shared = disk("/a");
    shared.sharing = Sharing::shared;
    const auto ops = labelled(shared, look);
    ASSERT_EQ(ops.size(), 1U);
    EXPECT_FALSE(std::get<LabelFile>(ops[0]).remember);
    EXPECT_EQ(std::get<LabelFile>(ops[0]).label, guest.shared_context);
}
TEST(SelinuxFiles, OnAFileSystemWithoutLabelsAreLeftAndNoted) {
    HostLook look;
    look.paths["/nfs/a"] = file(7, "system_u:object_r:nfs_t:s0");
    look.paths["/nfs/a"].can_be_labelled = false;
    std::vector<std::string> notes;
    EXPECT_EQ(label_ops({disk("/nfs/a")}, guest, true, look, "vm", notes), std::vector<Op>{});
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_NE(notes[0].find("nfs_t"), std::string::npos);
}
TEST(SelinuxFiles, OfAGuestThatSelinuxDoesNotConfineStay) {
    HostLook look;
    look.paths["/a"] = file(7);
    EXPECT_EQ(labelled(disk("/a"), look, Identity{}), std::vector<Op>{});
}

LaunchPlan plan() {
    LaunchPlan out{.name = "vm", .emulator = "/usr/bin/qemu", .identity = guest};
    out.confinement.use_cgroups = false;
    return out;
}
TEST(SelinuxLowering, WhatIsMadeForTheGuestIsItsOwnEvenIfTheHostsFilesKeepTheirLabels) {
    auto of = plan();
    of.identity.relabel_selinux = false;
    of.directories = {{.path = "/state"}, {.path = "/monitor", .guest_owned = false}};
    of.files = {{.path = "/state/key"}};
    of.descriptors = {{"monitor", ListenSocket{"/monitor/sock"}, "monitor"},
                      {"channel", ListenSocket{"/state/channel", true}, "channel"}};
    HostLook look;
    look.paths["/monitor"] = look.paths["/state"] = {.kind = SeenKind::directory};
    const auto done = lower(of, look).value();
    EXPECT_EQ(std::get<MakeDirectory>(done.directories.at(0)).label, guest.image_context);
    EXPECT_EQ(std::get<MakeDirectory>(done.directories.at(1)).label, "");
    EXPECT_EQ(std::get<MakeFile>(done.files.at(0)).label, guest.image_context);
    const auto& monitor = std::get<BindSocket>(done.descriptors.at(0));
    EXPECT_EQ(monitor.label, "") << "root's";
    EXPECT_EQ(monitor.socket_label, guest.process_context) << "QEMU accepts from it";
    EXPECT_EQ(std::get<BindSocket>(done.descriptors.at(1)).label, guest.image_context);
    EXPECT_EQ(done.script.selinux_exec, guest.process_context);
    EXPECT_EQ(done.script.selinux_dev, guest.image_context);
}
TEST(SelinuxLowering, AFileThatStaysIsTheGuestsOnlyWhileItRuns) {
    auto of = plan();
    of.files = {{.path = "/nvram/vm.fd", .copy_of = "/usr/share/vars.fd", .keep = true}};
    HostLook look;
    look.default_labels["/nvram/vm.fd"] = usual;
    const auto fresh = lower(of, look).value();
    EXPECT_EQ(inverse(fresh.files.at(0)),
              (std::optional<Op>{
                  ReturnLabel{.path = "/nvram/vm.fd", .given = guest.image_context, .back = usual}}));
    look.paths["/nvram/vm.fd"] = file(9);
    EXPECT_EQ(std::get<MakeFile>(lower(of, look)->files.at(0)).label, "") << "its grant labels it";
}
TEST(SelinuxLowering, ATpmsMemoryIsLabelledWithWhatIsInIt) {
    auto of = plan();
    of.helpers = {{.name = "swtpm",
                   .argv = {"/usr/bin/swtpm"},
                   .uid = 5,
                   .gid = 6,
                   .directories = {{.path = "/tpm", .mode = 0700, .keep = true}}}};
    const auto done = lower(of, {}).value();
    EXPECT_EQ(done.directories, (std::vector<Op>{MakeDirectory{"/tpm", 0700, {5, 6}, true},
                                                 LabelTree{"/tpm", guest.image_context}}));
    EXPECT_EQ(done.helpers.at(0).selinux_exec, guest.process_context)
        << "it can reach no other guest's either";
}

} // namespace
} // namespace cloister
