/// Suite root. Who owns a guest's files before, while and after it runs: remembered on the file as libvirt
/// does, counted, never taken from another guest, never given through a symlink.
#include "tests/root/world.hpp"

#include <array>
#include <atomic>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

namespace cloister::root_test {
namespace {

constexpr const char* names[]{"trusted.libvirt.security.dac", "trusted.libvirt.security.ref_dac",
                              "trusted.libvirt.security.timestamp_dac"};
constexpr Owner first_owner{64903, 64904}, guest{guest_uid, guest_gid}, other{64950, 64950};

struct stat look_at(const std::string& path) {
    struct stat found{};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
}
Owner owner_of(const std::string& path) {
    const auto found = look_at(path);
    return {found.st_uid, found.st_gid};
}
/// "OWNER COUNT TIMESTAMP"; "-" for what is not there.
std::string memory(const std::string& path) {
    std::string out;
    for (const auto* name : names) {
        std::array<char, 256> value{};
        const auto size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
        out += (out.empty() ? "" : " ") +
               (size < 0 ? "-" : std::string(value.data(), static_cast<std::size_t>(size)));
    }
    return out;
}
constexpr const char* no_memory = "- - -";
void set_memory(const std::string& path, const std::string& owner, const std::string& count,
                const std::string& boot) {
    const std::string* const values[]{&owner, &count, &boot};
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(::setxattr(path.c_str(), names[i], values[i]->data(), values[i]->size(), 0), 0) << path;
}
std::string boot_time() {
    std::istringstream lines(read_all("/proc/stat"));
    for (std::string key, line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string value;
        words >> key >> value;
        if (key == "btime") return value;
    }
    return "";
}

std::string make(const World& world, const std::string& name, mode_t mode = 0600, Owner owner = first_owner) {
    const auto path = world.path(name);
    write_all(path, std::string(1 << 16, '\0'));
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(::chown(path.c_str(), owner.uid, owner.gid), 0);
    return path;
}
GiveFile give(const std::string& path, const std::string& holder, Owner to = guest, bool remember = true) {
    const auto found = look_at(path);
    return {.path = path,
            .id = {found.st_dev, found.st_ino},
            .owner = to,
            .was = {found.st_uid, found.st_gid},
            .back = {found.st_uid, found.st_gid},
            .holder = holder,
            .remember = remember};
}
ReturnFile back(const GiveFile& op) { return std::get<ReturnFile>(*inverse(op)); }

TEST(Owners, AreRememberedOnTheFileItselfInLibvirtsFormat) {
    const World world;
    const auto disk = make(world, "disk");
    auto plan = world.qemu();
    plan.grants = {{.path = disk, .kind = Kind::file, .access = Access::read_write, .why = "disk vda"}};
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(owner_of(disk), guest);
    EXPECT_EQ(memory(disk), "+64903:+64904 1 " + boot_time());
    end(launch);
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_EQ(memory(disk), no_memory);
}

TEST(Owners, AreRestoredByTheLastHolderAndNotBefore) {
    const World world;
    const auto disk = make(world, "disk");
    OwnerBook owners;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(owners.give(a));
    auto b = a;
    b.holder = "b: disk vda";
    ASSERT_TRUE(owners.give(b));
    EXPECT_EQ(memory(disk), "+64903:+64904 2 " + boot_time());
    ASSERT_TRUE(owners.take_back(back(a)));
    EXPECT_EQ(owner_of(disk), guest);
    EXPECT_EQ(memory(disk), "+64903:+64904 1 " + boot_time());
    ASSERT_TRUE(owners.take_back(back(a))) << "who let go already changes nothing";
    EXPECT_EQ(owner_of(disk), guest);
    ASSERT_TRUE(owners.take_back(back(b)));
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_EQ(memory(disk), no_memory);
}

TEST(Owners, AnotherOwnerForAHeldFileIsRefusedAndTheHolderKeepsIt) {
    const World world;
    const auto disk = make(world, "disk");
    OwnerBook owners;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(owners.give(a));
    const auto b = give(disk, "b: disk vda", {0, 0});
    const auto refused = owners.give(b);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::operation_invalid);
    EXPECT_EQ(refused.error().message,
              "Setting different DAC user or group on " + disk + " which is already in use");
    ASSERT_TRUE(owners.take_back(back(b))) << "as a failed start does";
    EXPECT_EQ(owner_of(disk), guest);
    EXPECT_EQ(memory(disk), "+64903:+64904 1 " + boot_time());
    ASSERT_TRUE(owners.take_back(back(a)));
    EXPECT_EQ(owner_of(disk), first_owner);
}

TEST(Owners, AMemoryOfAnEarlierBootIsNotBelieved) {
    const World world;
    const auto disk = make(world, "disk");
    set_memory(disk, "+7:+7", "3", "1000000000");
    OwnerBook owners;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(owners.give(a));
    EXPECT_EQ(memory(disk), "+64903:+64904 1 " + boot_time());
    ASSERT_TRUE(owners.take_back(back(a)));
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_EQ(memory(disk), no_memory);
}

TEST(Owners, AFileThatLibvirtsGuestUsesIsCountedAndLeftToIt) {
    const World world;
    const auto disk = make(world, "disk", 0600, guest);
    set_memory(disk, "+64903:+64904", "1", boot_time());
    OwnerBook owners;
    const auto a = give(disk, "a: disk vda");
    ASSERT_TRUE(owners.give(a));
    EXPECT_EQ(memory(disk), "+64903:+64904 2 " + boot_time());
    ASSERT_TRUE(owners.take_back(back(a)));
    EXPECT_EQ(owner_of(disk), guest);
    EXPECT_EQ(memory(disk), "+64903:+64904 1 " + boot_time());
    // libvirt's guest ended first this time: we are the last, and libvirt's memory says whose it is
    ASSERT_TRUE(owners.give(a));
    set_memory(disk, "+64903:+64904", "1", boot_time());
    ASSERT_TRUE(owners.take_back(back(a)));
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_EQ(memory(disk), no_memory);
}

TEST(Owners, AFileThatLibvirtGaveToAnotherUserIsRefused) {
    const World world;
    const auto disk = make(world, "disk", 0600, other);
    set_memory(disk, "+0:+0", "1", boot_time());
    OwnerBook owners;
    const auto refused = owners.give(give(disk, "a: disk vda"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::operation_invalid);
    EXPECT_EQ(owner_of(disk), other);
    EXPECT_EQ(memory(disk), "+0:+0 1 " + boot_time());
}

TEST(Owners, WhoeverChangesTheMemoryWaitsForLibvirtsLock) {
    const World world;
    const auto disk = make(world, "disk");
    const auto op = give(disk, "a: disk vda");
    int libvirt = ::open(disk.c_str(), O_RDWR | O_CLOEXEC);
    struct flock byte{};
    byte.l_type = F_WRLCK;
    byte.l_whence = SEEK_SET;
    byte.l_start = byte.l_len = 1;
    ASSERT_EQ(::fcntl(libvirt, F_OFD_SETLK, &byte), 0);
    OwnerBook owners;
    std::atomic<bool> done = false;
    std::thread giving([&] {
        const auto given = owners.give(op);
        EXPECT_TRUE(given) << (given ? "" : given.error().message);
        done = true;
    });
    pollfd nothing{};
    ::poll(&nothing, 0, 100); // time enough to do it, if nothing stopped it
    EXPECT_FALSE(done);
    EXPECT_EQ(owner_of(disk), first_owner);
    ::close(libvirt);
    giving.join();
    EXPECT_EQ(owner_of(disk), guest);
    EXPECT_TRUE(owners.take_back(back(op)));
}

TEST(Owners, WhereTheFileSystemCannotRememberOurOwnBookCounts) {
    for (const char* type : {"ramfs", "tmpfs"}) {
        const World world;
        ASSERT_EQ(::mkdir(world.path("m").c_str(), 0755), 0);
        ASSERT_EQ(::mount("none", world.path("m").c_str(), type, 0, nullptr), 0) << type;
        const auto disk = make(world, "m/disk");
        OwnerBook owners;
        const auto a = give(disk, "a: disk vda");
        auto b = a;
        b.holder = "b: disk vda";
        ASSERT_TRUE(owners.give(a)) << type;
        ASSERT_TRUE(owners.give(b)) << type;
        if (std::string(type) == "ramfs") {
            EXPECT_EQ(memory(disk), no_memory);
        }
        EXPECT_FALSE(owners.give(give(disk, "c: disk vda", other))) << type;
        ASSERT_TRUE(owners.take_back(back(a))) << type;
        EXPECT_EQ(owner_of(disk), guest) << type;
        ASSERT_TRUE(owners.take_back(back(b))) << type;
        EXPECT_EQ(owner_of(disk), first_owner) << type;
        EXPECT_EQ(memory(disk), no_memory) << type;
        ASSERT_EQ(::umount2(world.path("m").c_str(), MNT_DETACH), 0);
    }
}

TEST(Owners, AReadOnlyFileSystemKeepsItsOwners) {
    const World world;
    ASSERT_EQ(::mkdir(world.path("m").c_str(), 0755), 0);
    ASSERT_EQ(::mount("none", world.path("m").c_str(), "tmpfs", 0, nullptr), 0);
    const auto disk = make(world, "m/disk", 0644);
    ASSERT_EQ(::mount("none", world.path("m").c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);
    OwnerBook owners;
    const auto a = give(disk, "a: disk vda");
    const auto given = owners.give(a);
    ASSERT_TRUE(given) << text(given.error());
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_TRUE(owners.take_back(back(a)));
    ASSERT_EQ(::umount2(world.path("m").c_str(), MNT_DETACH), 0);
}

TEST(Owners, AJournalIsReplayedTwiceWithoutHarmToAGuestThatStillRuns) {
    const World world;
    const auto disk = make(world, "disk");
    const auto dead = give(disk, "dead: disk vda");
    auto alive = dead;
    alive.holder = "alive: disk vda";
    {
        OwnerBook before;
        ASSERT_TRUE(before.give(dead));
        ASSERT_TRUE(before.give(alive));
    } // the daemon is killed; its journals stay
    for (int replays = 0; replays < 2; ++replays) {
        OwnerBook owners;
        owners.know({back(dead), back(alive)});
        ASSERT_TRUE(release({back(dead)}, owners));
        EXPECT_EQ(owner_of(disk), guest);
        EXPECT_EQ(memory(disk), "+64903:+64904 1 " + boot_time());
    }
    for (int replays = 0; replays < 2; ++replays) {
        OwnerBook owners;
        owners.know({back(alive)});
        ASSERT_TRUE(release({back(alive)}, owners));
        EXPECT_EQ(owner_of(disk), first_owner);
        EXPECT_EQ(memory(disk), no_memory);
    }
}

TEST(Owners, AfterABootTheJournalAloneGivesTheFileBack) {
    const World world;
    const auto disk = make(world, "disk");
    auto undo = back(give(disk, "a: disk vda"));
    ASSERT_EQ(::chown(disk.c_str(), guest.uid, guest.gid), 0);
    set_memory(disk, "+64903:+64904", "1", "1000000000"); // as the earlier boot left it
    undo.id.dev = 0;
    OwnerBook owners;
    ASSERT_TRUE(release({undo}, owners));
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_EQ(memory(disk), no_memory);
    ASSERT_TRUE(release({undo}, owners));
    EXPECT_EQ(owner_of(disk), first_owner);
}

TEST(Owners, WithoutAMemoryNothingIsWrittenOnTheFileAndItIsRootsAfterwards) {
    const World world;
    const auto disk = make(world, "disk");
    auto plan = world.qemu();
    plan.identity.remember_owner = false;
    plan.grants = {{.path = disk, .kind = Kind::file, .access = Access::read_write, .why = "disk vda"}};
    auto launch = launched(plan, world.environment());
    EXPECT_EQ(owner_of(disk), guest);
    EXPECT_EQ(memory(disk), no_memory);
    end(launch);
    EXPECT_EQ(owner_of(disk), (Owner{0, 0}));
}

TEST(Owners, WithoutDynamicOwnershipNothingChangesAtAll) {
    const World world;
    const auto disk = make(world, "disk");
    const auto before = look_at(disk);
    auto plan = world.qemu();
    plan.identity.relabel_dac = false;
    plan.grants = {{.path = disk, .kind = Kind::file, .access = Access::read_write, .why = "disk vda"}};
    auto launch = launched(plan, world.environment());
    end(launch);
    const auto after = look_at(disk);
    EXPECT_EQ(owner_of(disk), first_owner);
    EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec) << "not even touched";
    EXPECT_EQ(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
}

/// A guest with a base image that it only reads.
LaunchPlan reader(const World& world, const std::string& name, Owner who, const std::string& base) {
    auto plan = world.qemu(name);
    plan.identity.uid = who.uid;
    plan.identity.gid = who.gid;
    plan.identity.groups = {who.gid};
    plan.grants = {{.path = base,
                    .kind = Kind::file,
                    .access = Access::read,
                    .sharing = Sharing::shared,
                    .why = "disk vda"}};
    return plan;
}
/// What a start says when it has to give files that it cannot have; the launch is taken back.
Error refused(const LaunchPlan& plan, const LaunchEnvironment& environment) {
    auto launch = Launch::prepare(plan, environment, {});
    if (!launch) return launch.error();
    for (auto step : {&Launch::spawn, &Launch::confine})
        if (auto done = ((*launch).*step)(); !done) {
            end(*launch);
            return done.error();
        }
    end(*launch);
    return {.code = Code::ok, .message = "it was not refused"};
}

TEST(SharedFiles, AreRestoredByTheLastOfTheirGuests) {
    const World world;
    const auto base = make(world, "base");
    const auto environment = world.environment();
    auto one = launched(reader(world, "one", guest, base), environment);
    auto two = launched(reader(world, "two", guest, base), environment);
    EXPECT_EQ(owner_of(base), guest);
    EXPECT_EQ(memory(base), no_memory) << "shared files are counted in our own book";
    end(one);
    EXPECT_EQ(owner_of(base), guest) << "the second guest reads it still";
    end(two);
    EXPECT_EQ(owner_of(base), first_owner);
}

TEST(SharedFiles, AreNotTakenAwayByAGuestWithAnotherUser) {
    const World world;
    const auto base = make(world, "base");
    const auto environment = world.environment();
    auto one = launched(reader(world, "one", guest, base), environment);
    const auto error = refused(reader(world, "two", other, base), environment);
    EXPECT_EQ(error.code, Code::operation_invalid);
    EXPECT_EQ(error.message, "Setting different DAC user or group on " + base + " which is already in use");
    EXPECT_EQ(owner_of(base), guest);
    end(one);
    EXPECT_EQ(owner_of(base), first_owner);
}

TEST(SharedFiles, ThatEverybodyMayReadKeepTheirOwnerForGuestsOfAllUsers) {
    const World world;
    const auto base = make(world, "base", 0644);
    const auto environment = world.environment();
    auto one = launched(reader(world, "one", guest, base), environment);
    auto two = launched(reader(world, "two", other, base), environment);
    EXPECT_EQ(owner_of(base), first_owner);
    auto writer = reader(world, "three", other, base);
    writer.grants[0].access = Access::read_write;
    writer.grants[0].sharing = Sharing::exclusive;
    EXPECT_EQ(refused(writer, environment).code, Code::operation_invalid)
        << "who writes it exclusively would take it from those that read it";
    EXPECT_EQ(owner_of(base), first_owner);
    end(one);
    end(two);
}

TEST(Symlinks, AFolderThatIsSwappedForOneDuringAStartIsNotFollowed) {
    const World world;
    ASSERT_EQ(::mkdir(world.path("images").c_str(), 0755), 0);
    const auto disk = make(world, "images/disk");
    auto plan = world.qemu();
    plan.grants = {{.path = disk, .kind = Kind::file, .access = Access::read_write, .why = "disk vda"}};
    auto launch = Launch::prepare(plan, world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    // The same file by another way: even that is not taken, the name leads through a link now.
    ASSERT_EQ(::rename(world.path("images").c_str(), world.path("moved").c_str()), 0);
    ASSERT_EQ(::symlink("moved", world.path("images").c_str()), 0);
    const auto confined = launch->confine();
    ASSERT_FALSE(confined);
    EXPECT_EQ(confined.error().message, "'" + disk + "' is not the file any more that it was");
    end(*launch);
    EXPECT_EQ(owner_of(world.path("moved/disk")), first_owner);
}

TEST(Symlinks, AFileThatIsSwappedForOneAllTheTimeIsNeverFollowed) {
    const World world;
    const auto disk = make(world, "disk"), victim = make(world, "victim", 0600, {0, 0});
    ASSERT_EQ(::symlink(victim.c_str(), world.path("link").c_str()), 0);
    const auto op = give(disk, "a: disk vda");
    std::atomic<bool> stop = false;
    std::thread swapping([&] {
        while (!stop)
            ::renameat2(AT_FDCWD, disk.c_str(), AT_FDCWD, world.path("link").c_str(), RENAME_EXCHANGE);
    });
    int given = 0, refused_ = 0;
    OwnerBook owners;
    for (int i = 0; i < 3000; ++i) {
        (owners.give(op) ? given : refused_)++;
        (void)owners.take_back(back(op)); // it may be the link just now
    }
    stop = true;
    swapping.join();
    EXPECT_EQ(owner_of(victim), (Owner{0, 0}));
    EXPECT_EQ(memory(victim), no_memory);
    EXPECT_GT(refused_, 0) << "the race was one";
    EXPECT_GT(given, 0);
}

} // namespace
} // namespace cloister::root_test
