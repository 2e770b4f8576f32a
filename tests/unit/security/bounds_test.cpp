#include "security/bounds.hpp"

#include <gtest/gtest.h>

namespace {

using namespace cloister;

HostLook host() {
    HostLook out;
    for (const auto* folder : {"/", "/srv", "/srv/vm", "/etc", "/home", "/home/a"})
        out.paths[folder] = {.kind = SeenKind::directory};
    out.paths["/srv/vm/disk"] = {};
    out.paths["/srv/vm/out"] = {.kind = SeenKind::symlink, .target = "/etc/shadow", .next = "/etc/shadow"};
    out.paths["/etc/shadow"] = {};
    out.paths["/home/a/vm"] = {.kind = SeenKind::symlink, .target = "/srv/vm", .next = "/srv/vm"};
    out.paths["/home/a/vm/disk"] = {.real = "/srv/vm/disk"};
    out.paths["/srv/vm/.."] = {.kind = SeenKind::directory};
    return out;
}

Result<> checked(std::string path, std::vector<std::string> within = {"/srv/vm"}) {
    return check_bounds({.paths = {std::move(path)}, .within = std::move(within)}, host());
}

TEST(Bounds, ComparesWholeNamesOfFolders) {
    const std::vector<std::string> allowed{"/srv/vm", "/dev/kvm"};
    EXPECT_TRUE(within("/srv/vm", allowed));
    EXPECT_TRUE(within("/srv/vm/a", allowed));
    EXPECT_FALSE(within("/srv/vms/a", allowed));
    EXPECT_FALSE(within("/srv", allowed));
    EXPECT_TRUE(within("/anything", {"/"}));
    EXPECT_FALSE(within("/anything", {}));
}

TEST(Bounds, WhatIsAllowedIsAndWhereItLeadsCounts) {
    EXPECT_TRUE(checked("/srv/vm/disk"));
    EXPECT_TRUE(checked("/home/a/vm/disk"));
    EXPECT_EQ(checked("/etc/shadow").error().code, Code::access_denied);
    EXPECT_EQ(checked("/srv/vm/out").error().message,
              "'/srv/vm/out' leads out of what clients other than root may name (allowed_paths)");
    EXPECT_TRUE(checked("/etc/shadow", {"/"}));
    EXPECT_FALSE(checked("/srv/vm/disk", {}));
}

TEST(Bounds, AnAllowedFolderMayBeALink) {
    EXPECT_TRUE(checked("/srv/vm/disk", {"/home/a/vm"}));
    EXPECT_FALSE(checked("/home/a/x", {"/home/a/vm"}));
}

TEST(Bounds, WhatIsNotThereCountsByTheNearestFolder) {
    EXPECT_TRUE(checked("/srv/vm/new/disk"));
    EXPECT_TRUE(checked("/home/a/vm/new"));
    EXPECT_FALSE(checked("/etc/new"));
    EXPECT_FALSE(checked("/srv/vm/new/../../../etc/new"));
}

TEST(Bounds, AFoldersParentIsNotWithinIt) { EXPECT_FALSE(checked("/srv/vm/..")); }

TEST(Bounds, EveryFolderOnTheWayIsLookedAt) {
    EXPECT_EQ(paths_of(Bounds{.paths = {"/srv/vm/a"}, .within = {"/x"}}),
              (std::vector<std::string>{"/", "/srv", "/srv/vm", "/srv/vm/a", "/x"}));
}

} // namespace
