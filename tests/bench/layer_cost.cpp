/// What each layer of confinement adds to a bare exec of the same command line: p50 and p99, all
/// configurations in turn in each round. usage: layer-cost [ROUNDS]   Suite bench; TAP. Environment:
/// CLOISTER_CONFINE, CLOISTER_PROBE.
#include "tests/root/world.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

using namespace cloister;
using namespace cloister::root_test;
using Clock = std::chrono::steady_clock;

namespace {

struct Configuration {
    const char* name;
    std::function<double()> once; ///< milliseconds until QEMU was executed
    std::vector<double> took{};
};

double ms(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

double percentile(std::vector<double> values, double part) {
    std::ranges::sort(values);
    return values[std::min(values.size() - 1,
                           static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

/// QEMU as it is, with nothing around it.
LaunchPlan unconfined(const World& world) {
    auto plan = world.qemu("cost");
    std::erase_if(plan.items,
                  [](const QemuItem& item) { return item.option == "chardev" || item.option == "mon"; });
    plan.descriptors.clear();
    auto& c = plan.confinement;
    c.mount_namespace = c.use_cgroups = c.own_seccomp = c.landlock = c.no_new_privs = false;
    c.kept_capabilities = {"all"};
    plan.identity = {.set_ids = false, .relabel_dac = false};
    return plan;
}

double launch_time(const LaunchPlan& plan, const LaunchEnvironment& environment) {
    const auto began = Clock::now();
    auto launch = launched(plan, environment);
    const auto took = ms(Clock::now() - began);
    end(launch);
    return took;
}

double bare_time(const LaunchPlan& plan) {
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto began = Clock::now();
    auto child = spawn({.program = plan.emulator,
                        .argv = argv(plan),
                        .env = {"LC_ALL=C"},
                        .fds = {null.n(), null.n(), null.n()}});
    const auto took = ms(Clock::now() - began);
    if (!child) throw std::runtime_error(text(child.error()));
    (void)send_signal(child->pidfd, SIGKILL);
    (void)wait_exit(child->pidfd, std::chrono::seconds(10));
    return took;
}

std::vector<Configuration> configurations(const World& world, const LaunchEnvironment& environment) {
    const auto none = unconfined(world);
    const auto confined = world.qemu("cost");
    const auto with = [&](const char* name, auto&& change) {
        auto plan = none;
        change(plan);
        return Configuration{name, [plan, environment] { return launch_time(plan, environment); }};
    };
    auto all = confined;
    all.items = none.items;
    all.descriptors.clear();
    // A v1 cpu group takes no process of real-time priority; entering it is one more write like the others.
    const std::vector<std::string> controllers{"cpuacct", "memory", "blkio", "devices"};
    all.confinement.cgroup_controllers = controllers;
    return {
        {"bare exec", [none] { return bare_time(none); }},
        with("helper, no layer", [](LaunchPlan&) {}),
        with("user, groups, owners (DAC)", [&](LaunchPlan& p) { p.identity = confined.identity; }),
        with("capabilities, no_new_privs",
             [](LaunchPlan& p) {
                 p.confinement.kept_capabilities.clear(), p.confinement.no_new_privs = true;
             }),
        with("mount namespace, private /dev", [](LaunchPlan& p) { p.confinement.mount_namespace = true; }),
        with("cgroups without device list",
             [&](LaunchPlan& p) {
                 p.confinement.use_cgroups = true;
                 p.confinement.device_acl = false;
                 p.confinement.cgroup_controllers = controllers;
             }),
        with("cgroups with device list",
             [&](LaunchPlan& p) {
                 p.confinement.use_cgroups = true, p.confinement.cgroup_controllers = controllers;
             }),
        with("seccomp (ours)",
             [](LaunchPlan& p) { p.confinement.own_seccomp = p.confinement.no_new_privs = true; }),
        with("Landlock domain",
             [](LaunchPlan& p) { p.confinement.landlock = p.confinement.no_new_privs = true; }),
        {"all layers", [all, environment] { return launch_time(all, environment); }},
    };
}

TEST(LayerCost, OfAllLayersIsBelowFifteenMilliseconds) {
    const char* wanted = std::getenv("CLOISTER_ROUNDS");
    const int rounds = wanted ? std::atoi(wanted) : 100;
    const World world;
    const auto environment = world.environment();
    auto all = configurations(world, environment);
    // What else this machine does is not to be measured.
    const sched_param first{.sched_priority = 10};
    (void)::sched_setscheduler(0, SCHED_RR, &first);
    for (int round = -1; round < rounds; ++round)
        for (auto& one : all) {
            pollfd nothing{}; // 100 ms of idle: a warm RCU would flatter
            ::poll(&nothing, 0, 100);
            const auto took = one.once();
            if (round >= 0) one.took.push_back(took); // the first is a warm-up
        }
    const auto bare50 = percentile(all[0].took, 0.5), bare99 = percentile(all[0].took, 0.99);
    std::printf("# milliseconds until QEMU is executed, %d runs each, 100 ms of idle before each\n", rounds);
    std::printf("# %-32s %8s %8s %12s %12s\n", "", "p50", "p99", "added p50", "added p99");
    for (const auto& one : all) {
        const auto p50 = percentile(one.took, 0.5), p99 = percentile(one.took, 0.99);
        std::printf("# %-32s %8.2f %8.2f %12.2f %12.2f\n", one.name, p50, p99, p50 - bare50, p99 - bare99);
    }
    const sched_param normal{};
    (void)::sched_setscheduler(0, SCHED_OTHER, &normal);
    EXPECT_LE(percentile(all.back().took, 0.5) - bare50, 15.0);
}

} // namespace
