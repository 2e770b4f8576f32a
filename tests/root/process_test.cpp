/// Suite root. Starting, knowing again, waiting for and ending processes; the speed of a launch.
#include "tests/root/world.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace cloister::root_test {
namespace {

using Clock = std::chrono::steady_clock;

Result<Spawned> shell(const std::string& script, const std::vector<int>& fds = {}) {
    return spawn({.program = "/bin/sh", .argv = {"sh", "-c", script}, .env = {"A=1"}, .fds = fds});
}

Result<Spawned> waiting() {
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    return spawn(
        {.program = probe(), .argv = {"probe", "wait"}, .env = {}, .fds = {null.n(), null.n(), null.n()}});
}

TEST(Process, PutsDescriptorsInTheirPlacesWhateverNumbersTheyHad) {
    int pipes[2];
    ASSERT_EQ(::pipe2(pipes, O_CLOEXEC), 0);
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    // 0: null, 1: the pipe, 2: null; sources may be any numbers, small ones too
    auto child = shell("echo $A; cat /proc/self/stat | wc -w >/dev/null; ls /proc/self/fd | wc -l",
                       {null.n(), pipes[1], 0});
    ASSERT_TRUE(child) << text(child.error());
    ::close(pipes[1]);
    char buffer[256];
    std::string said;
    for (ssize_t size = 0; (size = ::read(pipes[0], buffer, sizeof buffer)) > 0;)
        said.append(buffer, static_cast<std::size_t>(size));
    ::close(pipes[0]);
    EXPECT_EQ(said, "1\n4\n"); // three and the listing's own
    EXPECT_EQ(wait_exit(child->pidfd, std::chrono::seconds(10))->code, 0);
}

TEST(Process, AMissingProgramIsAnErrorAndNoZombie) {
    const auto child = spawn({.program = "/no/such", .argv = {"x"}, .env = {}, .fds = {0, 1, 2}});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().sys_errno, ENOENT);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

TEST(Process, IsKnownAgainByNumberStartTimeAndBoot) {
    auto child = waiting();
    ASSERT_TRUE(child);
    const auto same = identify(child->id.pid);
    ASSERT_TRUE(same);
    EXPECT_EQ(*same, child->id);
    EXPECT_TRUE(open_process(child->id));
    auto other = child->id;
    ++other.start_time;
    EXPECT_FALSE(open_process(other)) << "a later process with the same number";
    other = child->id;
    other.boot_id = "00000000-0000-0000-0000-000000000000";
    EXPECT_FALSE(open_process(other)) << "before a reboot";
    ASSERT_TRUE(send_signal(child->pidfd, SIGKILL));
    const auto status = wait_exit(child->pidfd, std::chrono::seconds(10));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->signal, SIGKILL);
    EXPECT_FALSE(open_process(child->id));
    EXPECT_TRUE(apply(StopProcess{child->id, "gone"})) << "what is gone is fine";
}

TEST(Process, StartsWithEverySignalAtItsDefaultAndNoneBlocked) {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGUSR1, [](int) {});
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    auto child = waiting();
    ASSERT_TRUE(child);
    const auto status = read_all("/proc/" + std::to_string(child->id.pid) + "/status");
    for (const char* line : {"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"})
        EXPECT_NE(status.find(line), std::string::npos) << status;
    EXPECT_TRUE(apply(StopProcess{child->id, "shell"})); // SIGTERM works
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGUSR1, SIG_DFL);
}

TEST(Process, AGroupIsRemovedWhenItsLastProcessEnds) {
    const World world;
    auto launch = Launch::prepare(world.qemu(), world.environment(), {});
    ASSERT_TRUE(launch);
    ASSERT_TRUE(launch->spawn());
    const auto pid = launch->process().pid;
    const auto undo = launch->undo();
    const auto pidfd = launch->pidfd().copy();
    std::thread killer([&] { // ends the process while release() already waits for the groups
        pollfd nothing{};
        ::poll(&nothing, 0, 50);
        ::kill(pid, SIGKILL);
    });
    OwnerBook nobody;
    const auto released = release(undo, nobody);
    killer.join();
    EXPECT_TRUE(released) << text(released.error());
    EXPECT_TRUE(wait_exit(pidfd, std::chrono::seconds(10)));
    end(*launch);
}

double median(std::vector<double> samples) {
    std::ranges::sort(samples);
    return samples[samples.size() / 2];
}

/// What the layers cost over a bare exec of the same program: bounded generously here, printed for people.
TEST(Cost, AllLayersTogetherStayBelowFifteenMilliseconds) {
    const World world;
    const auto environment = world.environment();
    auto plan = world.probing({"wait"});
    plan.confinement.cgroup_controllers = {"cpuacct", "memory", "blkio", "devices"};
    // At real-time priority, where we may: what else this machine does is not to be measured. A v1 cpu group
    // takes no real-time process; entering it is one more write like those to the other controllers.
    const sched_param first{.sched_priority = 10}, normal{};
    (void)::sched_setscheduler(0, SCHED_RR, &first);
    const auto idle = [] { // a warm RCU would flatter: 100 ms of nothing before each
        pollfd nothing{};
        ::poll(&nothing, 0, 100);
    };
    const auto ms = [](Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
    std::vector<double> bare, confined, prepare, spawned, namespaces, exec;
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int i = 0; i < 15; ++i) {
        idle();
        auto at = Clock::now();
        auto child = spawn({.program = probe(),
                            .argv = {"probe", "wait"},
                            .env = {},
                            .fds = {null.n(), null.n(), null.n()}});
        bare.push_back(ms(Clock::now() - at));
        ASSERT_TRUE(child);
        ASSERT_TRUE(send_signal(child->pidfd, SIGKILL));
        ASSERT_TRUE(wait_exit(child->pidfd, std::chrono::seconds(10)));

        idle();
        at = Clock::now();
        auto launch = Launch::prepare(plan, environment, {});
        ASSERT_TRUE(launch);
        const auto t1 = Clock::now();
        ASSERT_TRUE(launch->spawn());
        const auto t2 = Clock::now();
        ASSERT_TRUE(launch->confine());
        const auto t3 = Clock::now();
        ASSERT_TRUE(launch->exec());
        const auto t4 = Clock::now();
        confined.push_back(ms(t4 - at));
        prepare.push_back(ms(t1 - at));
        spawned.push_back(ms(t2 - t1));
        namespaces.push_back(ms(t3 - t2));
        exec.push_back(ms(t4 - t3));
        end(*launch);
    }
    std::printf("cost of confinement, p50 of %zu: bare %.2f ms, confined %.2f ms (prepare %.2f, spawn %.2f, "
                "confine %.2f, exec %.2f), added %.2f ms\n",
                bare.size(), median(bare), median(confined), median(prepare), median(spawned),
                median(namespaces), median(exec), median(confined) - median(bare));
    std::printf("fastest: bare %.2f ms, confined %.2f ms; load average %s", std::ranges::min(bare),
                std::ranges::min(confined), read_all("/proc/loadavg").c_str());
    (void)::sched_setscheduler(0, SCHED_OTHER, &normal);
    EXPECT_LT(std::ranges::min(confined) - std::ranges::min(bare), 15.0);
}

} // namespace
} // namespace cloister::root_test
