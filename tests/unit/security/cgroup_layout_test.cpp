#include "security/cgroup_layout.hpp"
#include "security/cgroup_rules.hpp"

#include <gtest/gtest.h>

namespace cloister {
namespace {

constexpr const char* tmpfs = "tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0\n";
constexpr const char* pure_v2 =
    "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n";
constexpr const char* unified =
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nodev,noexec,relatime 0 0\n";
constexpr const char* memory = "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,relatime,memory 0 0\n";
constexpr const char* cpu = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n";
constexpr const char* devices = "cgroup /sys/fs/cgroup/devices cgroup rw,relatime,devices 0 0\n";
constexpr const char* read_only_devices = "cgroup /sys/fs/cgroup/devices cgroup ro,relatime,devices 0 0\n";
constexpr const char* read_only_unified = "cgroup2 /sys/fs/cgroup/unified cgroup2 ro,relatime 0 0\n";
constexpr const char* systemd =
    "cgroup /sys/fs/cgroup/systemd cgroup "
    "rw,nosuid,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd 0 0\n";

std::string text(std::initializer_list<const char*> lines) {
    std::string out = "/dev/vda / ext4 rw,relatime 0 0\n";
    for (const auto* line : lines) out += line;
    return out;
}

LaunchPlan plan() {
    LaunchPlan out;
    out.confinement.cgroup_name = "q";
    return out;
}

/// Every kind of host, and who keeps the device list on it.
struct Host {
    const char* what;
    std::initializer_list<const char*> mounts;
    const char* controllers; ///< of v2
    bool device_programs;
    DeviceBackend backend;
    const char* group;
};
const Host hosts[]{
    {"pure v1",
     {tmpfs, memory, cpu, devices, systemd},
     "",
     false,
     DeviceBackend::v1,
     "/sys/fs/cgroup/devices"},
    {"pure v2", {pure_v2}, "cpuset cpu io memory pids\n", true, DeviceBackend::bpf, "/sys/fs/cgroup"},
    {"pure v2 whose kernel has no device programs",
     {pure_v2},
     "cpu memory\n",
     false,
     DeviceBackend::none,
     ""},
    {"hybrid with devices on v1",
     {tmpfs, unified, systemd, memory, devices},
     "\n",
     true,
     DeviceBackend::bpf,
     "/sys/fs/cgroup/unified"},
    {"hybrid with devices on v1, whose kernel has no device programs",
     {tmpfs, unified, memory, devices},
     "\n",
     false,
     DeviceBackend::v1,
     "/sys/fs/cgroup/devices"},
    {"hybrid whose v2 can do nothing but BPF",
     {tmpfs, unified, memory, cpu},
     "",
     true,
     DeviceBackend::bpf,
     "/sys/fs/cgroup/unified"},
    {"hybrid whose v2 may only be read",
     {tmpfs, read_only_unified, memory, devices},
     "\n",
     true,
     DeviceBackend::v1,
     "/sys/fs/cgroup/devices"},
    {"mixed: memory on v2, devices on v1",
     {tmpfs, unified, devices},
     "memory\n",
     true,
     DeviceBackend::bpf,
     "/sys/fs/cgroup/unified"},
    {"v1 without devices", {tmpfs, memory, cpu, systemd}, "", true, DeviceBackend::none, ""},
    {"a container: nothing may be written",
     {tmpfs, read_only_devices, read_only_unified},
     "\n",
     true,
     DeviceBackend::none,
     ""},
    {"no control groups at all", {}, "", true, DeviceBackend::none, ""},
};

TEST(CgroupLayout, SaysWhoKeepsTheDeviceListOnEveryKindOfHost) {
    for (const auto& host : hosts) {
        SCOPED_TRACE(host.what);
        CgroupTexts texts{.mounts = text(host.mounts), .device_programs = host.device_programs};
        for (const auto& point : mount_points(texts.mounts, "cgroup2"))
            texts.controllers[point] = host.controllers;
        const auto layout = cgroup_layout(texts);
        EXPECT_EQ(device_backend(layout), host.backend);
        const auto groups = cgroups(plan(), {.cgroups = layout});
        EXPECT_EQ(groups.backend, host.backend);
        EXPECT_EQ(groups.device_group, *host.group ? std::string(host.group) + "/machine/q.cloister" : "");
        const bool listed = std::ranges::any_of(
            groups.ops, [](const Op& op) { return std::holds_alternative<DeviceAcl>(op); });
        EXPECT_EQ(listed, host.backend != DeviceBackend::none);
        // Without a list it is said, each time; with one there is nothing to say.
        EXPECT_EQ(groups.notes.size(), host.backend == DeviceBackend::none ? 1U : 0U);
    }
}

TEST(CgroupLayout, SaysWhichOfTheTwoIsMissing) {
    const auto why = [](std::initializer_list<const char*> mounts) {
        return without_device_backend(cgroup_layout({.mounts = text(mounts), .device_programs = false}));
    };
    EXPECT_EQ(why({memory}), "cgroup: this host has neither a v2 hierarchy nor the v1 controller 'devices'");
    EXPECT_EQ(why({pure_v2}), "cgroup: no device list: the kernel attaches no device programs to v2 groups "
                              "(CONFIG_CGROUP_BPF), and this host has no v1 controller 'devices'");
}

TEST(CgroupLayout, ReadsControllersCpusAndNames) {
    const auto layout = cgroup_layout(
        {.mounts = text({tmpfs, cpu, "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset,clone_children 0 0\n",
                         systemd, unified}),
         .controllers = {{"/sys/fs/cgroup/unified", "hugetlb misc\n"}},
         .cpus = {{"/sys/fs/cgroup/cpuset", "0-3\n"}},
         .mems = {{"/sys/fs/cgroup/cpuset", "0\n"}}});
    EXPECT_EQ(layout, (CgroupLayout{.hierarchies = {{"/sys/fs/cgroup/cpu,cpuacct", {"cpu", "cpuacct"}, false},
                                                    {"/sys/fs/cgroup/cpuset", {"cpuset"}, false},
                                                    {"/sys/fs/cgroup/systemd", {"name=systemd"}, false},
                                                    {"/sys/fs/cgroup/unified", {"hugetlb", "misc"}, true}},
                                    .cpus = "0-3",
                                    .mems = "0"}));
}

TEST(CgroupLayout, OfMountsOnOnePointTheLastCountsAndOfOneHierarchyTheFirst) {
    const auto layout =
        cgroup_layout({.mounts = text({memory, "none /sys/fs/cgroup/memory tmpfs rw 0 0\n", devices,
                                       "cgroup /mnt/d\\040x cgroup rw,devices 0 0\n"})});
    EXPECT_EQ(layout.hierarchies,
              (std::vector<CgroupHierarchy>{{"/sys/fs/cgroup/devices", {"devices"}, false}}));
    EXPECT_EQ(mount_points(text({"cgroup /mnt/d\\040x cgroup rw,devices 0 0\n"}), "cgroup"),
              std::vector<std::string>{"/mnt/d x"});
}

TEST(CgroupLayout, ALayoutThatMayOnlyBeReadIsLeftAloneAndSaid) {
    const auto layout = cgroup_layout({.mounts = text({read_only_devices})});
    EXPECT_TRUE(layout.hierarchies.empty());
    EXPECT_EQ(layout.notes, std::vector<std::string>{
                                "cgroup: '/sys/fs/cgroup/devices' is mounted read-only and is left alone"});
}

TEST(Cgroups, AScopeIsNamedAsSystemdNamesIt) {
    const auto in = [](std::string partition, std::string name) {
        return Confinement{
            .cgroup_name = std::move(name), .cgroup_partition = std::move(partition), .machine_scope = true};
    };
    EXPECT_EQ(group_path(in("/machine", "qemu-1-a")),
              "machine.slice/machine-qemu\\x2d1\\x2da.scope/cloister");
    EXPECT_EQ(slice_name(in("/machine", "q")), "machine.slice");
    EXPECT_EQ(group_path(in("/a//b-c/", "q.1")), "a.slice/a-b\\x2dc.slice/machine-q.1.scope/cloister");
    EXPECT_EQ(slice_name(in("/a/b-c", "q")), "a-b\\x2dc.slice");
    EXPECT_EQ(group_path(in("/", "q")), "machine-q.scope/cloister");
    EXPECT_EQ(slice_name(in("", "q")), "-.slice");
}
TEST(Cgroups, InAScopeControllersAndLimitsComeAfterTheProcess) {
    LaunchPlan launch{.confinement = {.cgroup_name = "qemu-1-a"}};
    launch.confinement.machine_scope = true;
    launch.confinement.limits.threads = 100;
    const HostLook look{.cgroups = {.hierarchies = {{"/cg", {"cpu", "memory", "pids"}, true}}}};
    const auto out = cgroups(launch, look);
    const std::string scope = "/cg/machine.slice/machine-qemu\\x2d1\\x2da.scope";
    EXPECT_EQ(out.v2, scope + "/cloister");
    EXPECT_EQ(out.ops.front(),
              Op(MakeCgroup{"/cg", out.v2.substr(4), {}, "", "", false})); // what is above is systemd's
    EXPECT_EQ(out.entered,
              (std::vector<Op>{SetCgroupValue{scope + "/cgroup.subtree_control", "+cpu +memory +pids", {}},
                               SetCgroupValue{scope + "/cloister/pids.max", "100", {}}}));
}

} // namespace
} // namespace cloister
