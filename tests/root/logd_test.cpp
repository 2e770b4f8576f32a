/// Suite root. The real cloister-logd, started and spoken to as the daemon does.
#include "daemon/logd/sandbox.hpp"
#include "driver/guest_logs.hpp"
#include "tests/root/world.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister::root_test {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t most = 65536;

class Logd : public ::testing::Test {
protected:
    Logd() {
        std::signal(SIGPIPE, SIG_IGN); // as the daemon and QEMU do
        fs::create_directory(world.path("run"));
        fs::create_directory(world.path("log"));
        begin();
    }
    ~Logd() override {
        logs.reset();
        guest = {};
        for (const auto pid : running()) {
            const Fd end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
            if (wait_exit(end, std::chrono::seconds(5))) continue; // and it is reaped
            ADD_FAILURE() << "cloister-logd stays when nobody is left";
            (void)send_signal(end, SIGKILL);
            (void)wait_exit(end, std::chrono::seconds(5));
        }
    }
    /// A daemon begins; one that was there before has died.
    void begin(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
        logs = std::make_unique<GuestLogs>(GuestLogs::Setup{.program = std::getenv("CLOISTER_LOGD"),
                                                            .folder = world.path("run"),
                                                            .max_size = most,
                                                            .backups = 2,
                                                            .patience = patience});
    }
    Fd opened(const std::string& name = "a") {
        auto out = logs->open(name, log(name));
        if (!out) ADD_FAILURE() << text(out.error());
        return out ? std::move(*out) : Fd{};
    }
    std::string log(const std::string& name = "a") const { return world.path("log/" + name + ".log"); }
    std::string written(const std::string& name = "a") const {
        const auto done = logs->drain(name);
        EXPECT_TRUE(done) << text(done.error());
        return read_all(log(name));
    }
    /// As QEMU does, but patient: what a full pipe refuses is tried again.
    static void say(const Fd& to, std::string_view text) {
        while (!text.empty()) {
            const auto size = ::write(to.n(), text.data(), text.size());
            if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
            pollfd room{to.n(), POLLOUT, 0};
            ASSERT_TRUE(size > 0 || (errno == EAGAIN && ::poll(&room, 1, 10000) == 1)) << "it reads no more";
        }
    }
    static std::vector<pid_t> running() {
        std::vector<pid_t> out;
        std::istringstream children(read_all("/proc/thread-self/children"));
        for (pid_t pid = 0; children >> pid;)
            if (read_all("/proc/" + std::to_string(pid) + "/comm") == "cloister-logd\n") out.push_back(pid);
        return out;
    }
    static std::string status(const std::string& key) {
        std::istringstream lines(read_all("/proc/" + std::to_string(running().at(0)) + "/status"));
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with(key + ":"))
                return line.substr(std::min(line.find_first_not_of("\t ", key.size() + 1), line.size()));
        return {};
    }

    const World world;
    std::unique_ptr<GuestLogs> logs;
    Fd guest{};
};

TEST_F(Logd, WritesWhatAGuestSaysEscapedLineByLine) {
    guest = opened();
    say(guest, "plain\nclear \x1b[2J\ttab\n2026-11-23 22:57:40.161+0000: shutting down\nno end");
    EXPECT_EQ(written(),
              "plain\nclear \\x1b[2J\\x09tab\n\\x32026-11-23 22:57:40.161+0000: shutting down\nno end\n");
    struct stat found{};
    ASSERT_EQ(::stat(log().c_str(), &found), 0);
    EXPECT_EQ(found.st_uid, 0U);
    EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

TEST_F(Logd, RunsAsNobodyWhoMatters) {
    guest = opened();
    say(guest, "x\n");
    EXPECT_EQ(written(), "x\n"); // it answers: it is in its sandbox
    const auto who = logd::who_to_be();
    ASSERT_NE(who.uid, 0U);
    const auto id = std::to_string(who.uid), gid = std::to_string(who.gid);
    EXPECT_EQ(status("Uid"), id + "\t" + id + "\t" + id + "\t" + id);
    EXPECT_EQ(status("Gid"), gid + "\t" + gid + "\t" + gid + "\t" + gid);
    EXPECT_EQ(status("Groups"), "");
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        EXPECT_EQ(status(set), "0000000000000000") << set;
    EXPECT_EQ(status("NoNewPrivs"), "1");
    EXPECT_EQ(status("Seccomp"), "2");
}

TEST_F(Logd, CanOpenNothingOnceItIsInItsSandbox) {
    const auto tried = [](auto call) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (!logd::enter_sandbox(logd::who_to_be())) ::_exit(1);
            call();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    };
    EXPECT_EQ(tried([] { (void)::open("/etc/passwd", O_RDONLY | O_CLOEXEC); }), SIGSYS);
    EXPECT_EQ(tried([] { (void)::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }), SIGSYS);
    EXPECT_EQ(tried([] { (void)::kill(1, 0); }), SIGSYS);
    EXPECT_EQ(tried([] { (void)::execl("/bin/true", "true", nullptr); }), SIGSYS);
    EXPECT_EQ(tried([] {
                  struct stat found{};
                  (void)::stat("/etc/passwd", &found);
              }),
              SIGSYS);
    EXPECT_EQ(tried([] {}), 0);
}

TEST_F(Logd, RotatesAndKeepsNoMoreThanItsBackups) {
    guest = opened();
    std::string all;
    for (int i = 0; all.size() < 5 * most; ++i) all += "line " + std::to_string(i) + "\n";
    say(guest, all);
    const auto newest = written();
    std::string kept;
    for (const char* name : {".1", ".0", ""}) {
        const auto part = read_all(log() + name);
        EXPECT_GT(part.size(), 0U) << name;
        EXPECT_LE(part.size(), most) << name;
        kept += part;
    }
    EXPECT_TRUE(all.ends_with(kept)) << "the last lines, in order, none missing between the files";
    EXPECT_GT(kept.size(), 2 * most - 100);
    EXPECT_FALSE(fs::exists(log() + ".2"));
}

TEST_F(Logd, LeavesNoEmptyBackupsBehind) {
    guest = opened();
    say(guest, "short\n");
    guest = {};
    logs->finish("a", log());
    EXPECT_EQ(read_all(log()), "short\n");
    EXPECT_FALSE(fs::exists(log() + ".0"));
}

TEST_F(Logd, KeepsLittleInMemoryWhateverAGuestWrites) {
    guest = opened();
    say(guest, "x\n");
    EXPECT_EQ(written(), "x\n");
    const auto before = std::stoul(status("VmHWM"));
    const std::string endless(1 << 20, 'x');
    for (int i = 0; i < 64; ++i) say(guest, endless);
    (void)written();
    EXPECT_LT(std::stoul(status("VmHWM")), before + 4096) << "KiB, after 64 MiB without a line's end";
}

TEST_F(Logd, OutlivesTheDaemonAndIsFoundByTheNext) {
    guest = opened();
    const auto pids = running();
    logs.reset(); // the daemon dies: its connection ends
    say(guest, "nobody is there\n");
    begin();
    auto other = opened("b");
    say(other, "b\n");
    say(guest, "somebody is\n");
    EXPECT_EQ(written("b"), "b\n");
    EXPECT_EQ(written("a"), "nobody is there\nsomebody is\n");
    EXPECT_EQ(running(), pids);
}

TEST_F(Logd, IsStartedAgainWhenItDied) {
    guest = opened();
    const auto pid = running().at(0);
    const auto process = open_process(*identify(pid));
    ASSERT_TRUE(send_signal(process, SIGKILL));
    ASSERT_TRUE(wait_exit(process, std::chrono::seconds(5)));
    const auto size = ::write(guest.n(), "x", 1);
    EXPECT_TRUE(size < 0 && errno == EPIPE); // QEMU ignores the signal, and runs on
    guest = opened();
    say(guest, "again\n");
    EXPECT_EQ(written(), "again\n");
    EXPECT_NE(running().at(0), pid);
}

TEST_F(Logd, AGuestNeverWaitsForAReaderThatHangs) {
    begin(std::chrono::milliseconds(300));
    guest = opened();
    const auto process = open_process(*identify(running().at(0)));
    ASSERT_TRUE(send_signal(process, SIGSTOP));
    const std::string much(1 << 20, 'x');
    EXPECT_LT(::write(guest.n(), much.data(), much.size()), 1 << 20);
    EXPECT_EQ(::write(guest.n(), much.data(), much.size()), -1);
    EXPECT_EQ(errno, EAGAIN);
    const auto refused = logs->open("b", log("b"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::operation_timeout);
    ASSERT_TRUE(send_signal(process, SIGCONT));
    say(guest, "\ngoes on\n");
    EXPECT_TRUE(written().ends_with("\ngoes on\n"));
}

TEST_F(Logd, LosesLinesOnAFullDiskButNeitherItselfNorOthersAndSaysSo) {
    const auto small = world.path("small");
    fs::create_directory(small);
    ASSERT_EQ(::mount("small", small.c_str(), "tmpfs", 0, "size=64k"), 0);
    write_all(small + "/filler", std::string(60 * 1024, 'f'));
    auto full = logs->open("full", small + "/full.log");
    ASSERT_TRUE(full) << text(full.error());
    guest = opened();
    say(*full, std::string(1000, 'y') + "\n" + std::string(200000, 'z') + "\n");
    ASSERT_TRUE(logs->drain("full"));
    say(guest, "fine\n");
    EXPECT_EQ(written(), "fine\n");
    ASSERT_TRUE(fs::remove(small + "/filler"));
    say(*full, "room again\n");
    ASSERT_TRUE(logs->drain("full"));
    const auto said = read_all(small + "/full.log");
    EXPECT_NE(said.find(" bytes were lost: No space left on device\nroom again\n"), std::string::npos)
        << said.substr(said.size() > 200 ? said.size() - 200 : 0);
    *full = {};
    logs->finish("full", small + "/full.log");
    ASSERT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

TEST_F(Logd, RefusesALogThatIsNoFile) {
    ASSERT_EQ(::mkfifo(log("pipe").c_str(), 0600), 0);
    EXPECT_FALSE(logs->open("pipe", log("pipe")));
    write_all(world.path("elsewhere"), "kept");
    ASSERT_EQ(::symlink(world.path("elsewhere").c_str(), log("link").c_str()), 0);
    EXPECT_FALSE(logs->open("link", log("link")));
    EXPECT_EQ(read_all(world.path("elsewhere")), "kept");
}

} // namespace
} // namespace cloister::root_test
