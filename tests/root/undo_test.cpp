/// Suite root. What a launch changes it takes back: at its end, at a failure of any step, and by a second
/// release.
#include "security/kernel/facts.hpp"
#include "security/kernel/fault.hpp"
#include "security/op_json.hpp"
#include "tests/root/world.hpp"

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

Owner owner_of(const std::string& path) {
    struct stat found{};
    return ::lstat(path.c_str(), &found) == 0 ? Owner{found.st_uid, found.st_gid} : Owner{9, 9};
}

/// A plan with one of everything: folder, file, socket, disk, read-only image, opened file.
LaunchPlan full_plan(const World& world) {
    auto plan = world.qemu();
    plan.files = {{.path = plan.paths.state_dir + "/master-key.aes",
                   .content = std::string(32, '\x7f'),
                   .guest_owned = true}};
    plan.descriptors.push_back({"channel", ListenSocket{world.path("channel/agent.sock"), true}, "channel0"});
    plan.descriptors.push_back(
        {"serial", OpenedFile{.path = world.path("disk"), .access = Access::read}, "serial0"});
    plan.grants = {
        {.path = world.path("disk"), .kind = Kind::file, .access = Access::read_write, .why = "disk vda"},
        {.path = world.path("base"),
         .kind = Kind::file,
         .access = Access::read,
         .sharing = Sharing::shared,
         .why = "disk vda, base"}};
    return plan;
}
void make_images(const World& world) {
    for (const char* name : {"disk", "base"}) {
        write_all(world.path(name), name);
        ::chmod(world.path(name).c_str(), 0600);
    }
    ::mkdir(world.path("channel").c_str(), 0711);
    ::mkdir(world.path("log").c_str(), 0711);
}

TEST(Undo, OwnersAreGivenAndRestored) {
    const World world;
    make_images(world);
    const auto before = snapshot(world);
    const auto plan = full_plan(world);
    const auto environment = world.environment();
    auto launch = launched(plan, environment);
    ASSERT_TRUE(greeted(plan)) << world.log(plan);
    EXPECT_EQ(owner_of(world.path("disk")), (Owner{guest_uid, guest_gid}));
    EXPECT_EQ(owner_of(world.path("base")), (Owner{guest_uid, guest_gid}));
    EXPECT_EQ(owner_of(plan.paths.state_dir + "/master-key.aes"), (Owner{guest_uid, guest_gid}));
    EXPECT_EQ(owner_of(plan.paths.monitor), (Owner{0, 0}));
    EXPECT_EQ(owner_of(world.path("channel/agent.sock")), (Owner{guest_uid, guest_gid}));
    const auto report = launch.verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << printed(*report);
    const auto undo = launch.undo();
    end(launch);
    EXPECT_EQ(snapshot(world), before);
    EXPECT_TRUE(release(undo, *environment.owners)) << "a second time changes nothing";
    EXPECT_EQ(snapshot(world), before);
}

TEST(Undo, AKeptFileStaysWhenTheGuestRanAndGoesWhenItNeverDid) {
    const World world;
    make_images(world);
    const auto nvram = world.path("nvram");
    auto plan = world.qemu();
    plan.files = {{.path = nvram, .copy_of = world.path("base"), .keep = true}};
    const auto environment = world.environment();
    fault::arm("launch:cgroups", fault::Kind::fault);
    EXPECT_FALSE(Launch::prepare(plan, environment, {}));
    EXPECT_EQ(::access(nvram.c_str(), F_OK), -1);

    {
        auto never_ran = launched(plan, environment); // QEMU waits at -S
        EXPECT_EQ(read_all(nvram), "base");
        end(never_ran);
        EXPECT_EQ(::access(nvram.c_str(), F_OK), -1);
    }
    auto launch = launched(plan, environment);
    const auto undo = launch.undo(); // of a guest that ran; the driver then forgets until_it_runs()
    ASSERT_TRUE(send_signal(launch.pidfd(), 9));
    ASSERT_TRUE(wait_exit(launch.pidfd(), std::chrono::seconds(10)));
    EXPECT_TRUE(release(undo, *environment.owners));
    EXPECT_EQ(read_all(nvram), "base");
    EXPECT_EQ(owner_of(nvram), (Owner{guest_uid, guest_gid}));

    write_all(nvram, "written by the guest");
    fault::arm("launch:cgroups", fault::Kind::fault);
    EXPECT_FALSE(Launch::prepare(plan, environment, {}));
    EXPECT_EQ(read_all(nvram), "written by the guest");
}

TEST(Undo, AReadOnlyFileThatTheGuestCanReadKeepsItsOwner) {
    const World world;
    make_images(world);
    ::chmod(world.path("base").c_str(), 0644);
    auto launch = launched(full_plan(world), world.environment());
    EXPECT_EQ(owner_of(world.path("base")), (Owner{0, 0}));
    end(launch);
}

class FaultAt : public ::testing::TestWithParam<LaunchStep> {};
INSTANTIATE_TEST_SUITE_P(Steps, FaultAt,
                         ::testing::Values(LaunchStep::look, LaunchStep::lower, LaunchStep::remember,
                                           LaunchStep::directories, LaunchStep::files,
                                           LaunchStep::descriptors, LaunchStep::cgroups, LaunchStep::helpers,
                                           LaunchStep::spawn, LaunchStep::go, LaunchStep::devices,
                                           LaunchStep::ownership, LaunchStep::exec, LaunchStep::verify),
                         [](const auto& p) { return std::string(text(p.param)); });

TEST_P(FaultAt, LeavesNothingAndNamesTheStep) {
    const World world;
    make_images(world);
    const auto before = snapshot(world);
    const auto environment = world.environment();
    fault::arm("launch:" + std::string(text(GetParam())), fault::Kind::fault);
    std::vector<Op> journalled;
    const auto journal = [&](const std::vector<Op>& ops) -> Result<> {
        journalled.insert(journalled.begin(), ops.begin(), ops.end());
        return {};
    };
    std::optional<Error> error;
    {
        auto launch = Launch::prepare(full_plan(world), environment, journal);
        if (!launch)
            error = launch.error();
        else {
            for (auto step : {&Launch::spawn, &Launch::confine, &Launch::exec})
                if (auto done = ((*launch).*step)(); !done && !error) error = done.error();
            if (auto report = launch->verify(); !report && !error) error = report.error();
            end(*launch);
        }
    }
    ASSERT_TRUE(error);
    EXPECT_NE(text(*error).find("step '" + std::string(text(GetParam())) + "' of the launch"),
              std::string::npos)
        << text(*error);
    EXPECT_EQ(snapshot(world), before);
    // What a daemon that died here would have found on disk undoes the same.
    const auto read = ops_from_json(to_json(journalled));
    ASSERT_TRUE(read);
    OwnerBook after_restart;
    after_restart.know(*read);
    EXPECT_TRUE(release(*read, after_restart));
    EXPECT_EQ(snapshot(world), before);
}

/// As after kill -9 of the daemon: nothing is called any more, only what the journal says.
TEST_P(FaultAt, TheJournalAloneUndoesAStartThatWasCutOff) {
    const World world;
    make_images(world);
    const auto before = snapshot(world);
    std::vector<Op> journalled;
    Fd process;
    {
        auto environment = world.environment();
        auto launch =
            Launch::prepare(full_plan(world), environment, [&](const std::vector<Op>& ops) -> Result<> {
                journalled.insert(journalled.begin(), ops.begin(), ops.end());
                return {};
            });
        ASSERT_TRUE(launch) << text(launch.error());
        if (GetParam() >= LaunchStep::spawn) {
            ASSERT_TRUE(launch->spawn());
            process = launch->pidfd().copy();
        }
        if (GetParam() >= LaunchStep::go) {
            ASSERT_TRUE(launch->confine());
        }
        if (GetParam() >= LaunchStep::exec) {
            ASSERT_TRUE(launch->exec());
        }
    } // the object is gone without a word; a helper before exec ends by itself
    if (GetParam() >= LaunchStep::exec) {
        EXPECT_TRUE(send_signal(process, 9));
    }
    if (process) {
        EXPECT_TRUE(wait_exit(process, std::chrono::seconds(10)));
        process = Fd{}; // it would count as left behind
    }
    for (int replays = 0; replays < 2; ++replays) { // a daemon that dies while it cleans up starts over
        OwnerBook after_restart;
        after_restart.know(journalled);
        EXPECT_TRUE(release(journalled, after_restart));
        EXPECT_EQ(snapshot(world), before);
    }
}

TEST(Undo, TheJournalIsWrittenBeforeTheHostIsTouched) {
    const World world;
    make_images(world);
    const auto plan = full_plan(world);
    const auto before = snapshot(world);
    const auto launch = Launch::prepare(plan, world.environment(), [&](const std::vector<Op>&) -> Result<> {
        EXPECT_EQ(snapshot(world), before);
        return fail(Code::system, "the disk is full");
    });
    ASSERT_FALSE(launch);
    EXPECT_EQ(launch.error().message, "the disk is full");
    EXPECT_EQ(snapshot(world), before);
}

TEST(Undo, AFileThatWasSwappedForASymlinkDuringTheStartIsNotFollowed) {
    const World world;
    make_images(world);
    write_all(world.path("victim"), "root's");
    auto launch = Launch::prepare(full_plan(world), world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    ::unlink(world.path("disk").c_str());
    ASSERT_EQ(::symlink(world.path("victim").c_str(), world.path("disk").c_str()), 0);
    const auto confined = launch->confine();
    ASSERT_FALSE(confined);
    EXPECT_EQ(confined.error().message, "'" + world.path("disk") + "' is not the file any more that it was");
    EXPECT_EQ(owner_of(world.path("victim")), (Owner{0, 0}));
    end(*launch);
    EXPECT_EQ(owner_of(world.path("victim")), (Owner{0, 0}));
    EXPECT_EQ(owner_of(world.path("base")), (Owner{0, 0}));
}

TEST(Undo, AnOwnerThatSomebodyElseSetMeanwhileIsLeft) {
    const World world;
    make_images(world);
    auto launch = launched(full_plan(world), world.environment());
    ASSERT_EQ(::chown(world.path("disk").c_str(), 64905, 64905), 0); // an administrator, by hand
    end(launch);
    EXPECT_EQ(owner_of(world.path("disk")), (Owner{64905, 64905}));
}

TEST(Undo, AGuestsFolderIsRemovedWithoutFollowingWhatTheGuestPutThere) {
    const World world;
    make_images(world);
    const auto plan = full_plan(world);
    auto launch = launched(plan, world.environment());
    ASSERT_EQ(::mkdir(world.path("outside").c_str(), 0755), 0);
    write_all(world.path("outside/file"), "stays");
    ASSERT_EQ(::symlink(world.path("outside").c_str(), (plan.paths.state_dir + "/link").c_str()), 0);
    ASSERT_EQ(::mkdir((plan.paths.state_dir + "/.cache").c_str(), 0), 0);
    end(launch);
    EXPECT_EQ(::access(plan.paths.state_dir.c_str(), F_OK), -1);
    EXPECT_EQ(read_all(world.path("outside/file")), "stays");
}

TEST(Undo, HotplugGivesNodeListEntryAndOwnerAndTakesThemBack) {
    for (const auto backend : backends()) {
        const World world;
        make_images(world);
        auto plan = world.qemu();
        const auto environment = world.environment(backend);
        auto launch = launched(plan, environment);
        ASSERT_TRUE(greeted(plan)) << world.log(plan);
        DevicePlan added;
        added.grants = {{.path = "/dev/fuse",
                         .kind = Kind::char_device,
                         .access = Access::read_write,
                         .sharing = Sharing::shared,
                         .why = "hostdev0"},
                        {.path = "/dev/urandom",
                         .kind = Kind::char_device,
                         .access = Access::read_write,
                         .sharing = Sharing::shared,
                         .why = "rng1"},
                        {.path = world.path("disk"),
                         .kind = Kind::file,
                         .access = Access::read_write,
                         .why = "disk vdb"}};
        Opened opened;
        const auto plugged =
            hotplug(plan, added, launch.process(), environment.cgroups, {}, opened, *environment.owners);
        ASSERT_TRUE(plugged) << text(plugged.error());
        auto lowered = launch.lowered();
        note_changes(lowered, plugged->done);
        const auto now = verify(plan, lowered, launch.process());
        ASSERT_TRUE(now) << text(now.error());
        EXPECT_TRUE(now->ok()) << printed(*now);
        const auto node = "/proc/" + std::to_string(launch.process().pid) + "/root/dev/fuse";
        EXPECT_EQ(owner_of(node), (Owner{guest_uid, guest_gid}));
        EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, "/dev/fuse"), 0);
        EXPECT_EQ(owner_of(world.path("disk")), (Owner{guest_uid, guest_gid}));
        ASSERT_TRUE(release(plugged->undo, *environment.owners));
        EXPECT_EQ(::access(node.c_str(), F_OK), -1);
        EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, "/dev/fuse"), EPERM);
        EXPECT_EQ(inside_groups(launch.lowered(), open_for_reading, "/dev/urandom"), 0)
            << "a base device stays";
        EXPECT_EQ(owner_of(world.path("disk")), (Owner{0, 0}));
        const auto report = launch.verify();
        ASSERT_TRUE(report);
        EXPECT_TRUE(report->ok()) << printed(*report);
        end(launch);
    }
}

} // namespace
} // namespace cloister::root_test
