#include "security/tuning.hpp"

#include "conf/base/tr.hpp"
#include "security/cgroup_rules.hpp"
#include "security/look.hpp"
#include "security/op.hpp"
#include "security/plan.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <string_view>

namespace cloister {
namespace {

using Values = std::vector<SetCgroupValue>;

/// The guest's group in the hierarchy of one controller.
struct Place {
    std::string folder{};
    bool v2 = false;
};

Result<Place> place_of(const LaunchPlan& plan, const HostLook& look, std::string_view controller,
                       std::string_view element) {
    const auto& confinement = plan.confinement;
    const auto& only = confinement.cgroup_controllers;
    const bool wanted = only.empty() || std::ranges::find(only, controller) != only.end();
    for (const auto& hierarchy : look.cgroups.hierarchies) {
        const auto name = hierarchy.v2 && controller == "blkio" ? std::string_view("io") : controller;
        if (wanted && confinement.use_cgroups &&
            std::ranges::find(hierarchy.controllers, name) != hierarchy.controllers.end())
            return Place{hierarchy.mount + "/" + group_path(confinement), hierarchy.v2};
    }
    auto refusal =
        fail(Code::config_unsupported, tr("<{0}> needs the cgroup controller '{1}', which this host has not "
                                          "or qemu.conf cgroup_controllers leaves out",
                                          element, controller));
    refusal.error().layer = Layer::cgroup;
    return refusal;
}

Result<> cpu_values(const GroupTuning& tuning, const LaunchPlan& plan, const HostLook& look, Values& out) {
    if (!tuning.cpu_shares && !tuning.cpu_period && !tuning.cpu_quota) return {};
    const auto at = TRY(place_of(plan, look, "cpu", "cputune"));
    if (tuning.cpu_shares) {
        const auto shares = *tuning.cpu_shares;
        const std::uint64_t least = at.v2 ? 1 : 2, most = at.v2 ? 10000 : 262144; // the kernel's own
        if (shares < least || shares > most)
            return fail(Code::config_unsupported,
                        tr("shares '{0}' must be in range [{1}, {2}]", shares, least, most));
        out.push_back({at.folder + (at.v2 ? "/cpu.weight" : "/cpu.shares"), std::to_string(shares), {}});
    }
    if (!tuning.cpu_period && !tuning.cpu_quota) return {};
    constexpr std::uint64_t usual_period = 100000;
    const auto quota = tuning.cpu_quota.value_or(-1);
    if (at.v2) {
        const auto limit = quota < 0 ? std::string("max") : std::to_string(quota);
        out.push_back({at.folder + "/cpu.max",
                       fmt::format("{} {}", limit, tuning.cpu_period.value_or(usual_period)),
                       {}});
        return {};
    }
    if (tuning.cpu_period)
        out.push_back({at.folder + "/cpu.cfs_period_us", std::to_string(*tuning.cpu_period), {}});
    if (tuning.cpu_quota) out.push_back({at.folder + "/cpu.cfs_quota_us", std::to_string(quota), {}});
    return {};
}

Result<> memory_values(const GroupTuning& tuning, const LaunchPlan& plan, const HostLook& look, Values& out) {
    if (!tuning.memory_max && !tuning.memory_high && !tuning.swap_max) return {};
    const auto at = TRY(place_of(plan, look, "memory", "memtune"));
    // v1 takes a limit of memory and swap only when that of memory is not above it: memory first.
    const auto write = [&](const std::optional<std::uint64_t>& bytes, const char* v1, const char* v2) {
        if (bytes) out.push_back({at.folder + "/" + (at.v2 ? v2 : v1), std::to_string(*bytes), {}});
    };
    write(tuning.memory_max, "memory.limit_in_bytes", "memory.max");
    write(tuning.swap_max, "memory.memsw.limit_in_bytes", "memory.swap.max");
    write(tuning.memory_high, "memory.soft_limit_in_bytes", "memory.high");
    return {};
}

Result<> io_values(const GroupTuning& tuning, const LaunchPlan& plan, const HostLook& look, Values& out) {
    if (!tuning.io_weight && tuning.io.empty()) return {};
    const auto at = TRY(place_of(plan, look, "blkio", "blkiotune"));
    const std::string weight =
        at.folder + (at.v2 ? "/io.weight" : "/blkio.weight"); // or that of the BFQ scheduler
    const std::string bfq = at.folder + (at.v2 ? "/io.bfq.weight" : "/blkio.bfq.weight");
    if (tuning.io_weight) out.push_back({weight, std::to_string(*tuning.io_weight), {}, bfq});
    for (const auto& limit : tuning.io) {
        const auto there = destination(look, limit.path);
        if (there.seen == nullptr || there.seen->kind != SeenKind::block_device)
            return fail(Code::config_unsupported,
                        tr("'{0}' of <blkiotune> is not a block device", limit.path));
        const auto device = fmt::format("{}:{}", there.seen->major, there.seen->minor);
        if (limit.weight)
            out.push_back({at.v2 ? weight : at.folder + "/blkio.weight_device",
                           fmt::format("{} {}", device, *limit.weight),
                           {},
                           at.v2 ? bfq : at.folder + "/blkio.bfq.weight_device"});
        const auto throttle = [&](const std::optional<std::uint64_t>& value, const char* v1, const char* v2) {
            if (!value) return;
            if (at.v2)
                out.push_back({at.folder + "/io.max", fmt::format("{} {}={}", device, v2, *value), {}});
            else
                out.push_back(
                    {at.folder + "/blkio.throttle." + v1, fmt::format("{} {}", device, *value), {}});
        };
        throttle(limit.read_bytes, "read_bps_device", "rbps");
        throttle(limit.write_bytes, "write_bps_device", "wbps");
        throttle(limit.read_operations, "read_iops_device", "riops");
        throttle(limit.write_operations, "write_iops_device", "wiops");
    }
    return {};
}

} // namespace

Result<Values> tuning_values(const LaunchPlan& plan, const HostLook& look) {
    Values out;
    const auto& tuning = plan.confinement.tuning;
    TRY(cpu_values(tuning, plan, look, out));
    TRY(memory_values(tuning, plan, look, out));
    TRY(io_values(tuning, plan, look, out));
    return out;
}

} // namespace cloister
