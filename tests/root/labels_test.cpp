/// Suite root. The SELinux labels of a guest's files: held, remembered as libvirt does, given back by the
/// last holder. The attribute is a real one on any kernel; what a policy makes of it is the test host's
/// business.
#include "security/kernel/selinux.hpp"
#include "tests/root/world.hpp"

#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

const std::string usual = "system_u:object_r:virt_image_t:s0",
                  own = "system_u:object_r:svirt_image_t:s0:c1,c2",
                  others = "system_u:object_r:svirt_image_t:s0:c7,c9";

std::string attribute(const std::string& path, const char* name) {
    std::array<char, 256> value{};
    const auto size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "-" : std::string(value.data(), static_cast<std::size_t>(size));
}
void set_attribute(const std::string& path, const char* name, const std::string& value) {
    ASSERT_EQ(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0), 0) << path;
}
/// What the file remembers: "LABEL COUNT"; "-" for what is not there.
std::string memory(const std::string& path) {
    return attribute(path, "trusted.libvirt.security.selinux") + " " +
           attribute(path, "trusted.libvirt.security.ref_selinux");
}
std::string make(const World& world, const std::string& name, const std::string& label = usual) {
    const auto path = world.path(name);
    write_all(path, "content");
    set_attribute(path, "security.selinux", label);
    return path;
}
LabelFile give(const std::string& path, const std::string& holder, const std::string& label = own,
               bool remember = true) {
    struct stat found{};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    const auto was = label_of(path).value_or("");
    return {.path = path,
            .id = {found.st_dev, found.st_ino},
            .label = label,
            .was = was,
            .back = was,
            .holder = holder,
            .remember = remember};
}
ReturnLabel back(const LabelFile& op) { return std::get<ReturnLabel>(*inverse(op)); }

TEST(Labels, AreRememberedOnTheFileAndRestoredByTheLastHolder) {
    const World world;
    const auto disk = make(world, "disk");
    OwnerBook book;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(book.give(a));
    EXPECT_EQ(label_of(disk), own);
    EXPECT_EQ(memory(disk), usual + " 1");
    auto b = a;
    b.holder = "a: disk vdb";
    ASSERT_TRUE(book.give(b));
    EXPECT_EQ(memory(disk), usual + " 2");
    ASSERT_TRUE(book.take_back(back(a)));
    EXPECT_EQ(label_of(disk), own);
    ASSERT_TRUE(book.take_back(back(b)));
    EXPECT_EQ(label_of(disk), usual);
    EXPECT_EQ(memory(disk), "- -");
}

TEST(Labels, OfAFileInUseAreNotTakenByAnotherGuest) {
    const World world;
    const auto disk = make(world, "disk");
    OwnerBook book;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(book.give(a));
    const auto b = give(disk, "b: disk vda", others);
    const auto refused = book.give(b);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::operation_invalid);
    EXPECT_EQ(refused.error().layer, Layer::selinux);
    EXPECT_EQ(refused.error().message,
              "Setting different SELinux label on " + disk + " which is already in use");
    ASSERT_TRUE(book.take_back(back(b))) << "as a failed start does";
    EXPECT_EQ(label_of(disk), own);
    ASSERT_TRUE(book.take_back(back(a)));
    EXPECT_EQ(label_of(disk), usual);
}

TEST(Labels, ThatLibvirtGaveAreNotTakenFromItsGuest) {
    const World world;
    const auto disk = make(world, "disk", others);
    set_attribute(disk, "trusted.libvirt.security.selinux", usual);
    set_attribute(disk, "trusted.libvirt.security.ref_selinux", "1");
    const auto stat = read_all("/proc/stat");
    const auto at = stat.find("\nbtime ") + 7;
    set_attribute(disk, "trusted.libvirt.security.timestamp_selinux",
                  stat.substr(at, stat.find('\n', at) - at));
    OwnerBook book;
    const auto refused = book.give(give(disk, "a: disk vda"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::operation_invalid);
    EXPECT_EQ(label_of(disk), others);
}

TEST(Labels, OfADaemonThatDiedAreGivenBackByTheNextOne) {
    const World world;
    const auto disk = make(world, "disk"), base = make(world, "base");
    const auto a = give(disk, "a: disk vda"), shared = give(base, "a: base", own, false);
    {
        OwnerBook book;
        ASSERT_TRUE(book.give(a));
        ASSERT_TRUE(book.give(shared));
    }
    OwnerBook next;
    next.know({back(a), back(shared)});
    EXPECT_EQ(next.former_label(a.id), usual);
    ASSERT_TRUE(next.take_back(back(a)));
    ASSERT_TRUE(next.take_back(back(shared)));
    EXPECT_EQ(label_of(disk), usual);
    EXPECT_EQ(label_of(base), usual);

    // After a boot: nobody holds anything, and devices have other numbers.
    ASSERT_TRUE(OwnerBook().give(a));
    auto old = back(a);
    old.id.dev = 0;
    ASSERT_TRUE(OwnerBook().take_back(old));
    EXPECT_EQ(label_of(disk), usual);
}

TEST(Labels, ThatSomebodyElseChangedAreLeftAlone) {
    const World world;
    const auto disk = make(world, "disk");
    OwnerBook book;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(book.give(a));
    set_attribute(disk, "security.selinux", "system_u:object_r:etc_t:s0");
    const auto done = book.take_back(back(a));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::resource_busy);
    EXPECT_EQ(label_of(disk), "system_u:object_r:etc_t:s0");
    EXPECT_EQ(memory(disk), "- -");
}

TEST(Labels, AreNeverGivenThroughASymlinkOrToAnotherFile) {
    const World world;
    const auto disk = make(world, "disk"), victim = make(world, "victim");
    auto swapped = give(disk, "a: disk vda");
    ASSERT_EQ(::unlink(disk.c_str()), 0);
    ASSERT_EQ(::symlink(victim.c_str(), disk.c_str()), 0);
    OwnerBook book;
    EXPECT_FALSE(book.give(swapped));
    swapped.path = victim;
    EXPECT_FALSE(book.give(swapped)) << "its inode is another one";
    EXPECT_EQ(label_of(victim), usual);
}

TEST(Labels, AKeptFileOfTheGuestsIsNobodysAfterwards) {
    const World world;
    const auto nvram = world.path("nvram");
    const MakeFile made{.path = nvram, .content = "x", .keep = true, .label = own, .label_back = usual};
    ASSERT_TRUE(apply(made));
    EXPECT_EQ(label_of(nvram), own);
    ASSERT_TRUE(apply(*inverse(made)));
    EXPECT_EQ(label_of(nvram), usual);
}

TEST(Labels, OfAWholeFolderStopAtSymlinks) {
    const World world;
    const auto outside = make(world, "outside");
    const auto folder = world.path("tpm");
    ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
    ASSERT_EQ(::mkdir((folder + "/tpm2").c_str(), 0700), 0);
    write_all(folder + "/tpm2/state", "x");
    ASSERT_EQ(::symlink(outside.c_str(), (folder + "/tpm2/link").c_str()), 0);
    ASSERT_TRUE(apply(LabelTree{folder, own}));
    for (const auto* below : {"", "/tpm2", "/tpm2/state"}) EXPECT_EQ(label_of(folder + below), own) << below;
    EXPECT_EQ(label_of(outside), usual);
    EXPECT_TRUE(apply(LabelTree{world.path("gone"), ""})) << "nothing to take back";
    EXPECT_FALSE(apply(LabelTree{world.path("gone"), own}));
}

TEST(Labels, OfSocketsAndFoldersAreThereBeforeAnybodyCanReachThem) {
    const World world;
    const auto folder = world.path("state");
    ASSERT_TRUE(apply(MakeDirectory{.path = folder, .mode = 0750, .label = own}));
    EXPECT_EQ(label_of(folder), own);
    Opened opened;
    OwnerBook nobody;
    ASSERT_TRUE(
        apply(BindSocket{.symbol = "channel", .path = folder + "/sock", .label = own}, opened, nobody));
    EXPECT_EQ(label_of(folder + "/sock"), own);
    ASSERT_TRUE(
        apply(OpenFile{.symbol = "log", .path = folder + "/log", .write = true, .create = true, .label = own},
              opened, nobody));
    EXPECT_EQ(label_of(folder + "/log"), own);
    const auto there = make(world, "there");
    ASSERT_TRUE(apply(OpenFile{.symbol = "old", .path = there, .write = true, .create = true, .label = own},
                      opened, nobody));
    EXPECT_EQ(label_of(there), usual) << "a file of the host is labelled as its grant, or not at all";
}

} // namespace
} // namespace cloister::root_test
