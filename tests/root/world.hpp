/// What the root tests share: a folder, a partition of control groups and plans of their own, gone
/// afterwards.
#pragma once

#include "security/kernel/launch.hpp"
#include "security/plan.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace cloister::root_test {

/// The binaries that the build system tells about: CLOISTER_CONFINE and CLOISTER_PROBE.
std::string helper();
std::string probe();

/// uid and gid that nobody on the machine has.
inline constexpr std::uint32_t guest_uid = 64901, guest_gid = 64901;

std::string read_all(const std::string& path);
void write_all(const std::string& path, const std::string& text);

/// A scratch world for one test: removed with it, whatever the test did.
class World {
public:
    World();
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    const std::string& folder() const { return folder_; } ///< searchable by guests
    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    LaunchEnvironment environment() const;
    /// Only v1 hierarchies, or v1 with the v2 one: which backend the device list gets.
    LaunchEnvironment environment(DeviceBackend backend) const;

    /// A plan with every layer on, for QEMU (-machine none) or for the probe with these words.
    LaunchPlan qemu(const std::string& name = "t") const;
    LaunchPlan probing(const std::vector<std::string>& words, const std::string& name = "t") const;
    std::string log(const LaunchPlan& plan) const { return read_all(plan.paths.log); }

private:
    LaunchPlan plan(const std::string& name) const;
    std::string folder_;
    std::string partition_;
};

/// The device lists that this host can keep: a host of pure v2 has one kind only.
std::vector<DeviceBackend> backends();
/// For tests of each of them: skipped where the host has not that one.
class WithBackend : public ::testing::TestWithParam<DeviceBackend> {
protected:
    void SetUp() override;
};
inline constexpr const char* without_v1 = "this machine: no hierarchy of v1 has the controller 'devices'";
/// Whether the kernel keeps signals and abstract sockets inside a Landlock domain (ABI 6).
bool landlock_keeps_signals();

/// Everything of the host that a launch may leave behind: mounts, groups, files with owners and modes,
/// processes, network interfaces. Two of them are equal when nothing was left.
std::string snapshot(const World& world);

/// Ends a launch as the driver does: SIGKILL, wait, release. Fails the test when something stays.
void end(Launch& launch);
/// Reads the greeting of the monitor: QEMU is up, with its own filter in place.
bool greeted(const LaunchPlan& plan);
/// Waits for the end of the program; its status.
ExitStatus finished(Launch& launch);
/// All steps up to exec; fails the test with the error otherwise.
Launch launched(const LaunchPlan& plan, const LaunchEnvironment& environment);
std::string text(const Error& error);

/// Runs `work` in a child that joined the guest's groups; gives errno of what failed, 0 when nothing did.
int inside_groups(const Lowered& lowered, int (*work)(const char*), const char* argument);
int open_for_reading(const char* path);

} // namespace cloister::root_test
