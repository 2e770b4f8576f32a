/// Suite root. A real QEMU that opens a disk: given by hand (owner, mode bits, ACL) and left alone by us, or
/// shown to it as its own by an idmapped mount.
#include "tests/root/world.hpp"

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

constexpr std::size_t disk_size = 1 << 16;

std::string make_disk(const World& world, const std::string& name, mode_t mode) {
    const auto path = world.path(name);
    write_all(path, std::string(disk_size, '\0'));
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
}

/// Everything about a file that a daemon could change, the time of its last change included.
std::string state_of(const std::string& path) {
    struct stat s{};
    EXPECT_EQ(::lstat(path.c_str(), &s), 0);
    std::array<char, 4096> list{}, value{};
    auto out = std::to_string(s.st_uid) + ":" + std::to_string(s.st_gid) + " " + std::to_string(s.st_mode) +
               " " + std::to_string(s.st_ctim.tv_sec) + "." + std::to_string(s.st_ctim.tv_nsec);
    const auto size = ::llistxattr(path.c_str(), list.data(), list.size());
    for (ssize_t at = 0; at < size;) {
        const std::string name = list.data() + at;
        at += static_cast<ssize_t>(name.size()) + 1;
        const auto length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
        out += " " + name + "=" +
               std::string(value.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    }
    return out;
}

/// QEMU with a disk that only its own arguments name.
LaunchPlan with_drive(const World& world, const std::string& disk) {
    auto plan = world.qemu();
    plan.items.push_back({"drive", "if=none,id=d,format=raw,file=" + disk, "qemu:arg 0"});
    return plan;
}

/// Asks QEMU something over its monitor; the last answer.
std::string tell(const LaunchPlan& plan, const std::string& command) {
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    plan.paths.monitor.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd.n(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
        return "no connection";
    std::string got;
    const auto say = [&](const std::string& line) {
        pollfd ready{fd.n(), POLLIN, 0};
        if (!line.empty() && ::write(fd.n(), line.data(), line.size()) < 0) return;
        for (got.clear(); got.find('\n') == std::string::npos && ::poll(&ready, 1, 20000) == 1;) {
            char buffer[4096];
            const auto size = ::read(fd.n(), buffer, sizeof buffer);
            if (size <= 0) return;
            got.append(buffer, static_cast<std::size_t>(size));
        }
    };
    say("");
    say("{\"execute\":\"qmp_capabilities\"}\n");
    say("{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"" + command + "\"}}\n");
    return got;
}
std::string write_a_block(const LaunchPlan& plan) {
    return tell(plan, "qemu-io d \\\"write -P 0x5a 0 512\\\"");
}

TEST(DacGrants, OwnerModeOrAclSufficeAndNoneOfThemIsUndone) {
    const auto acl = [](const std::string& path) {
        const auto command = "setfacl -m u:" + std::to_string(guest_uid) + ":rw '" + path + "'";
        return std::system(command.c_str()) == 0;
    };
    const std::pair<const char*, std::function<bool(const std::string&)>> ways[]{
        {"owner", [](const std::string& p) { return ::chown(p.c_str(), guest_uid, guest_gid) == 0; }},
        {"mode", [](const std::string& p) { return ::chmod(p.c_str(), 0666) == 0; }},
        {"acl", acl}};
    for (const auto& [name, grant] : ways) {
        const World world;
        const auto disk = make_disk(world, "disk", 0600);
        ASSERT_TRUE(grant(disk)) << name;
        const auto before = state_of(disk);
        const auto plan = with_drive(world, disk);
        auto launch = launched(plan, world.environment());
        ASSERT_TRUE(greeted(plan)) << name << ": " << world.log(plan);
        EXPECT_EQ(state_of(disk), before) << name;
        const auto report = launch.verify();
        ASSERT_TRUE(report);
        EXPECT_TRUE(report->ok()) << printed(*report);
        end(launch);
        EXPECT_EQ(state_of(disk), before) << name;
    }
}

TEST(DacGrants, WithoutAnyOfThemQemuIsRefusedTheFile) {
    const World world;
    const auto disk = make_disk(world, "disk", 0600);
    const auto before = state_of(disk);
    const auto plan = with_drive(world, disk);
    auto launch = launched(plan, world.environment());
    EXPECT_NE(finished(launch).code, 0);
    EXPECT_NE(world.log(plan).find("Could not open '" + disk + "': Permission denied"), std::string::npos)
        << world.log(plan);
    EXPECT_EQ(state_of(disk), before);
    end(launch);
}

LaunchPlan mapped(const World& world, const std::string& disk) {
    auto plan = with_drive(world, disk);
    plan.identity.map_owner = true;
    plan.grants = {{.path = disk, .kind = Kind::file, .access = Access::read_write, .why = "disk vda"}};
    return plan;
}
Owner seen_by(const Launch& launch, const std::string& path) {
    struct stat s{};
    EXPECT_EQ(::lstat(("/proc/" + std::to_string(launch.process().pid) + "/root" + path).c_str(), &s), 0);
    return {s.st_uid, s.st_gid};
}

TEST(Idmap, TheGuestReadsAndWritesADiskThatStaysItsOwners) {
    const World world;
    const auto disk = make_disk(world, "disk", 0600);
    const auto before = state_of(disk);
    const auto plan = mapped(world, disk);
    auto launch = launched(plan, world.environment());
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    EXPECT_EQ(state_of(disk), before) << "while it runs";
    EXPECT_EQ(seen_by(launch, disk), (Owner{guest_uid, guest_gid}));
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    EXPECT_NE(printed(*report).find("owner map of " + disk), std::string::npos) << printed(*report);
    EXPECT_NE(write_a_block(plan).find("return"), std::string::npos);
    end(launch);
    EXPECT_EQ(read_all(disk).substr(0, 512), std::string(512, 'Z')) << "the guest wrote it";
    struct stat after{};
    ASSERT_EQ(::stat(disk.c_str(), &after), 0);
    EXPECT_EQ(after.st_uid, 0U);
    EXPECT_EQ(after.st_gid, 0U);
    EXPECT_EQ(after.st_mode & 07777U, 0600U);
    EXPECT_EQ(read_all("/proc/self/mountinfo").find(disk), std::string::npos) << "the host has no such mount";
}

TEST(Idmap, AnotherGuestDoesNotGetAtTheDisk) {
    const World world;
    const auto disk = make_disk(world, "disk", 0600);
    const auto environment = world.environment();
    const auto plan = mapped(world, disk);
    auto launch = launched(plan, environment);
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    auto peer = world.qemu("peer"); // the same user, but in a namespace of its own without the mount
    peer.items.push_back({"drive", "if=none,id=d,format=raw,file.locking=off,file=" + disk, "qemu:arg 0"});
    auto second = launched(peer, environment);
    EXPECT_NE(finished(second).code, 0);
    EXPECT_NE(world.log(peer).find("Permission denied"), std::string::npos) << world.log(peer);
    end(second);
    end(launch);
}

TEST(Idmap, AFileSystemThatCannotIsNamedAndNothingStarts) {
    const World world;
    ASSERT_EQ(::mkdir(world.path("m").c_str(), 0755), 0);
    ASSERT_EQ(::mount("none", world.path("m").c_str(), "ramfs", 0, "mode=755"), 0);
    const auto disk = make_disk(world, "m/disk", 0600);
    const auto before = state_of(disk);
    auto launch = Launch::prepare(mapped(world, disk), world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    const auto confined = launch->confine();
    ASSERT_FALSE(confined);
    EXPECT_EQ(confined.error().code, Code::config_unsupported);
    EXPECT_EQ(confined.error().layer, Layer::dac);
    EXPECT_EQ(confined.error().message, "ownership = \"idmap\" cannot show '" + disk +
                                            "' to the guest as its own: the file system 'ramfs' at '" +
                                            world.path("m") + "' has no idmapped mounts");
    end(*launch);
    EXPECT_EQ(state_of(disk), before);
    ASSERT_EQ(::umount2(world.path("m").c_str(), MNT_DETACH), 0);
}

/// A name within what is allowed that leads to `secret`, as whoever may write there makes it.
std::pair<Grant, Bounds> led_out(const World& world, const std::string& secret) {
    std::filesystem::create_directory(world.path("allowed"));
    const auto link = world.path("allowed/link");
    std::filesystem::create_symlink(secret, link);
    return {{.path = link, .kind = Kind::file, .access = Access::read_write, .why = "disk vda"},
            {.paths = {link}, .within = {world.path("allowed")}}};
}

TEST(Bounds, ALaunchGivesNothingThatANameWithinTheBoundLeadsTo) {
    const World world;
    const auto secret = make_disk(world, "secret", 0600);
    const auto before = state_of(secret);
    const auto [grant, bounds] = led_out(world, secret);
    auto plan = world.qemu();
    plan.grants.push_back(grant);
    plan.bounds = bounds;
    const auto refused = Launch::prepare(plan, world.environment(), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::access_denied);
    EXPECT_EQ(state_of(secret), before);
}

TEST(Bounds, AHotPlugGivesNothingThatANameWithinTheBoundLeadsTo) {
    const World world;
    const auto secret = make_disk(world, "secret", 0600);
    const auto before = state_of(secret);
    const auto [grant, bounds] = led_out(world, secret);
    const auto plan = world.qemu();
    const auto environment = world.environment();
    auto launch = launched(plan, environment);
    DevicePlan added;
    added.grants = {grant};
    added.bounds = bounds;
    Opened opened;
    const auto refused =
        hotplug(plan, added, launch.process(), environment.cgroups, {}, opened, *environment.owners);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::access_denied);
    EXPECT_EQ(state_of(secret), before);
    end(launch);
}

TEST(Idmap, AHotPluggedDiskIsShownAndHiddenAgain) {
    const World world;
    const auto disk = make_disk(world, "disk", 0600);
    const auto before = state_of(disk);
    auto plan = world.qemu();
    plan.identity.map_owner = true;
    const auto environment = world.environment();
    auto launch = launched(plan, environment);
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    DevicePlan added;
    added.grants = {{.path = disk, .kind = Kind::file, .access = Access::read_write, .why = "disk vdb"}};
    Opened opened;
    const auto undo =
        hotplug(plan, added, launch.process(), environment.cgroups, {}, opened, *environment.owners);
    ASSERT_TRUE(undo) << text(undo.error());
    EXPECT_EQ(seen_by(launch, disk), (Owner{guest_uid, guest_gid}));
    EXPECT_EQ(state_of(disk), before);
    for (int twice = 0; twice < 2; ++twice) {
        ASSERT_TRUE(release(undo->undo, *environment.owners));
        EXPECT_EQ(seen_by(launch, disk), (Owner{0, 0}));
    }
    end(launch);
    EXPECT_EQ(state_of(disk), before);
}

TEST(Idmap, AFileThatWasSwappedDuringTheStartIsNotShown) {
    const World world;
    const auto disk = make_disk(world, "disk", 0600), victim = make_disk(world, "victim", 0600);
    auto launch = Launch::prepare(mapped(world, disk), world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    ASSERT_EQ(::rename(victim.c_str(), disk.c_str()), 0);
    const auto confined = launch->confine();
    ASSERT_FALSE(confined);
    EXPECT_EQ(confined.error().message, "'" + disk + "' is not the file any more that it was");
    end(*launch);
}

} // namespace
} // namespace cloister::root_test
