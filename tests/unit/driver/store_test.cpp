#include "driver/store/definitions.hpp"
#include "driver/store/files.hpp"
#include "driver/store/journal.hpp"
#include "driver/store/status.hpp"

#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace cloister;

namespace {

struct Scratch {
    std::string path{};
    Scratch() {
        char name[] = "/tmp/cloister-store-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Scratch() { std::filesystem::remove_all(path); }
    Folders folders() const { return {.definitions = path + "/qemu", .autostart = path + "/qemu/autostart"}; }
};

TEST(Store, WhoGaveADefinitionIsFoundAgainAndCannotBeSaidInTheText) {
    const Scratch scratch;
    const auto folders = scratch.folders();
    ASSERT_TRUE(store::save_definition(folders, "theirs", "<domain/>\n", true));
    const auto bounded = store::load_definitions(folders).found.at(0);
    EXPECT_TRUE(bounded.bounded);
    ASSERT_TRUE(store::save_definition(folders, "theirs", bounded.text, false));
    EXPECT_FALSE(store::load_definitions(folders).found.at(0).bounded) << "only the heading counts";
}

TEST(Store, WhatIsSavedIsFoundAgain) {
    const Scratch scratch;
    const auto folders = scratch.folders();
    ASSERT_TRUE(store::save_definition(folders, "vm1", "<domain/>\n", false));
    ASSERT_TRUE(store::save_autostart(folders, "vm1", true));
    const auto loaded = store::load_definitions(folders);
    ASSERT_EQ(loaded.found.size(), 1u);
    EXPECT_EQ(loaded.found[0].file_name, "vm1");
    EXPECT_TRUE(loaded.found[0].autostart);
    EXPECT_EQ(loaded.found[0].text, store::definition_text("vm1", "<domain/>\n"));
    EXPECT_FALSE(loaded.found[0].bounded);
    EXPECT_EQ(std::filesystem::read_symlink(folders.autostart + "/vm1.xml").string(),
              folders.definitions + "/vm1.xml");
    struct stat is{};
    ASSERT_EQ(::stat((folders.definitions + "/vm1.xml").c_str(), &is), 0);
    EXPECT_EQ(is.st_mode & 07777, 0600u);
}

TEST(Store, ANameThatXmlCommentsForbidIsNotInTheComment) {
    EXPECT_EQ(store::definition_text("a--b", "").find("a--b"), std::string::npos);
}

TEST(Store, RefusesNamesThatAreNoFileNames) {
    EXPECT_FALSE(store::check_name(".."));
    EXPECT_FALSE(store::check_name("a/b"));
    EXPECT_FALSE(store::check_name(std::string(NAME_MAX, 'x')));
    EXPECT_TRUE(store::check_name(std::string(200, 'x')));
}

TEST(Store, OneUnreadableFileDoesNotHideTheOthers) {
    const Scratch scratch;
    const auto folders = scratch.folders();
    ASSERT_TRUE(store::save_definition(folders, "good", "<domain/>", false));
    std::filesystem::create_directory(folders.definitions + "/bad.xml");
    const auto loaded = store::load_definitions(folders);
    EXPECT_EQ(loaded.found.size(), 1u);
    ASSERT_EQ(loaded.unreadable.size(), 1u);
    EXPECT_EQ(loaded.unreadable[0].path, folders.definitions + "/bad.xml");
}

TEST(Store, DoesNotWriteThroughALinkLeftBesideTheFile) {
    const Scratch scratch;
    const auto victim = scratch.path + "/victim";
    ASSERT_TRUE(store::write_file(victim, "mine"));
    ASSERT_EQ(::symlink(victim.c_str(), (scratch.path + "/file.new").c_str()), 0);
    ASSERT_TRUE(store::write_file(scratch.path + "/file", "other"));
    EXPECT_EQ(store::read_file(victim).value(), "mine");
}

TEST(Store, TheTailOfALogStartsAtALine) {
    const Scratch scratch;
    const auto log = scratch.path + "/log";
    ASSERT_TRUE(store::append_file(log, "old\n"));
    const auto from = store::size_of(log);
    ASSERT_TRUE(store::append_file(log, "first line\nsecond\n"));
    EXPECT_EQ(store::tail(log, from, 1000), "first line\nsecond\n");
    EXPECT_EQ(store::tail(log, from, 10), "second\n");
}

TEST(Store, AJournalReadsBackNewestFirstAlsoWhenACrashCutItsLastLine) {
    const Scratch scratch;
    const store::JournalFile start{.name = "vm", .uuid = Uuid{{1}}, .boot_id = "boot"};
    const Op folder = RemoveDirectory{"/var/lib/x"}, tap = RemoveTap{"vnet0"};
    const Op owner = Chown{.path = "/a", .id = {1, 2}, .owner = {0, 0}, .was = {64055, 64055}};
    {
        auto journal = store::JournalWriter::create(scratch.path, start).value();
        ASSERT_TRUE(journal.add({folder}));
        ASSERT_TRUE(journal.add(ProcessId{.pid = 7, .start_time = 8, .boot_id = "boot"}));
        ASSERT_TRUE(journal.add({owner, tap}));
    }
    const auto path = store::journal_path(scratch.path, "vm");
    ASSERT_TRUE(store::append_file(path, "{\"undo\":[{\"op\":\"remo"));
    const auto read = store::load_journal(path).value();
    EXPECT_EQ(read.process.pid, 7);
    EXPECT_EQ(read.undo, (std::vector<Op>{owner, tap, folder}));
    const Op later = Chown{.path = "/a", .id = {0, 2}, .owner = {0, 0}, .was = {64055, 64055}};
    EXPECT_EQ(store::lasting(read.undo), (std::vector<Op>{later, folder}))
        << "after a boot the device may have another number";
}

TEST(Store, WhatWasMadeAnewIsTakenBackOnlyFromAGuestThatNeverRan) {
    const Scratch scratch;
    const Op tap = RemoveTap{"vnet0"}, nvram = RemoveFile{"/var/lib/vars.fd"};
    {
        auto journal = store::JournalWriter::create(scratch.path, {.name = "vm", .boot_id = "boot"}).value();
        ASSERT_TRUE(journal.add_until_it_runs({nvram}));
        ASSERT_TRUE(journal.add({tap}));
    }
    const auto path = store::journal_path(scratch.path, "vm");
    const auto never_ran = store::load_journal(path).value();
    EXPECT_EQ(store::still_to_undo(never_ran, "boot"), (std::vector<Op>{tap, nvram}));
    EXPECT_EQ(store::still_to_undo(never_ran, "another"), (std::vector<Op>{nvram}));
    ASSERT_TRUE(store::note_it_runs(scratch.path, "vm"));
    const auto ran = store::load_journal(path).value();
    EXPECT_EQ(ran.until_it_runs, (std::vector<Op>{nvram}));
    EXPECT_EQ(store::still_to_undo(ran, "boot"), (std::vector<Op>{tap}));
}

TEST(Store, AJournalIsReplacedWholeAndWhatACrashLeftBesideItIsSweptAway) {
    const Scratch scratch;
    const Op old = RemoveFile{"/var/lib/old"};
    ASSERT_TRUE(store::save_journal(scratch.path, {.name = "vm", .boot_id = "boot", .undo = {old}}));
    ASSERT_TRUE(store::append_file(scratch.path + "/vm.json.new", "{\"na"));
    store::sweep_unfinished(scratch.path);
    EXPECT_EQ(store::names_in(scratch.path), (std::vector<std::string>{"vm.json"}));
    ASSERT_TRUE(store::JournalWriter::create(scratch.path, {.name = "vm", .boot_id = "new", .undo = {old}}));
    const auto read = store::load_journal(store::journal_path(scratch.path, "vm")).value();
    EXPECT_EQ(read.boot_id, "new");
    EXPECT_EQ(read.undo, (std::vector<Op>{old}));
}

TEST(Store, AForeignJournalIsNotGuessedAt) {
    const Scratch scratch;
    ASSERT_TRUE(store::write_file(scratch.path + "/x.json", "{\"name\":\"vm\"}\n"));
    EXPECT_FALSE(store::load_journal(scratch.path + "/x.json"));
}

TEST(Store, AStatusFileReadsBack) {
    const store::StatusFile file{
        .status = PausedReason::user,
        .process = {.pid = 42, .start_time = 99, .boot_id = "boot"},
        .monitor = "/run/m.sock",
        .taints = {"custom-argv"},
        .vcpus = {{0, 43}, {1, 44}},
        .device_aliases = {"net0"},
        .fake_reboot = true,
        .state_dir = "/var/lib/s",
        .channel_dir = "/var/lib/c",
        .reserved = {.id = 3,
                     .taps = {"vnet0", "vnet1"},
                     .display_ports = {5900},
                     .mcs = "c1,c2",
                     .random = {1, 255}},
        .settings = {.file = "/etc/qemu.conf", .keys = {{"user", "\"a\"", 3}, {"namespaces", "[ ]", 0}}},
        .ptys = {{"charserial0", "/dev/pts/4"}},
        .start_paused = true,
        .starting = true,
        .verified = true,
        .domain_xml = "<domain type='qemu' id='3'>\n  <name>a &amp; b</name>\n</domain>\n"};
    EXPECT_EQ(store::parsed_status(store::printed(file).value()).value(), file);
}

/// Needs root: a tmpfs of its own, in a mount namespace of a child.
TEST(Store, AFullDiskLeavesTheOldDefinitionAndSaysSo) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts a small tmpfs";
    const Scratch scratch;
    const auto child = ::fork();
    if (child == 0) {
        const auto folders = scratch.folders();
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tmpfs", scratch.path.c_str(), "tmpfs", 0, "size=64k") != 0)
            ::_exit(1);
        if (!store::save_definition(folders, "vm", "<domain/>", false)) ::_exit(2);
        const auto refused = store::save_definition(folders, "vm", std::string(1 << 20, 'x'), false);
        if (refused || refused.error().sys_errno != ENOSPC) ::_exit(3);
        const auto kept = store::load_definitions(folders);
        if (kept.found.size() != 1 || kept.found[0].text != store::definition_text("vm", "<domain/>"))
            ::_exit(4);
        if (store::exists(store::definition_path(folders, "vm") + ".new")) ::_exit(5);
        ::_exit(0);
    }
    int how = 0;
    ASSERT_EQ(::waitpid(child, &how, 0), child);
    EXPECT_EQ(how, 0) << "step " << WEXITSTATUS(how);
}

} // namespace
