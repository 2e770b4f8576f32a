#include "driver/op/group_values.hpp"

#include "driver/parts.hpp"
#include "security/cgroup_rules.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace cloister {

namespace {

/// The first line of a control file; nullopt when it is not there.
std::optional<std::string> line_of(const std::string& folder, const char* file) {
    if (folder.empty()) return std::nullopt;
    std::ifstream in(folder + "/" + file);
    std::string text;
    if (!std::getline(in, text)) return std::nullopt;
    return text;
}

template <class N> std::optional<N> number(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    N out{};
    // "default 100" is how a v2 weight is written
    const auto begin = text->starts_with("default ") ? text->data() + 8 : text->data();
    const auto [end, bad] = std::from_chars(begin, text->data() + text->size(), out);
    if (bad != std::errc()) return std::nullopt;
    return out;
}

/// Bytes; the kernel's "no limit" (v1: the largest whole page, v2: "max") becomes UINT64_MAX.
std::optional<std::uint64_t> limit(const std::optional<std::string>& text) {
    constexpr std::uint64_t no_limit_v1 = INT64_MAX / 65536 * 65536;
    if (text == "max") return UINT64_MAX;
    const auto bytes = number<std::uint64_t>(text);
    return bytes && *bytes >= no_limit_v1 ? UINT64_MAX : bytes;
}

std::optional<std::uint32_t> weight(const GroupFolders& at) {
    const auto first = [&](std::initializer_list<const char*> files) -> std::optional<std::uint32_t> {
        for (const auto* file : files)
            if (const auto value = number<std::uint32_t>(line_of(at.blkio, file))) return value;
        return std::nullopt;
    };
    return at.blkio_v2 ? first({"io.bfq.weight", "io.weight"}) : first({"blkio.weight", "blkio.bfq.weight"});
}

void read_cpu(GroupValues& out, const GroupFolders& at) {
    if (!at.cpu_v2) {
        out.cpu_shares = number<std::uint64_t>(line_of(at.cpu, "cpu.shares"));
        out.cpu_period = number<std::uint64_t>(line_of(at.cpu, "cpu.cfs_period_us"));
        out.cpu_quota = number<std::int64_t>(line_of(at.cpu, "cpu.cfs_quota_us"));
        return;
    }
    out.cpu_shares = number<std::uint64_t>(line_of(at.cpu, "cpu.weight"));
    const auto both = line_of(at.cpu, "cpu.max"); // "max 100000" or "50000 100000"
    if (!both) return;
    std::istringstream words(*both);
    std::string quota, period;
    words >> quota >> period;
    out.cpu_quota = quota == "max" ? -1 : number<std::int64_t>(quota);
    out.cpu_period = number<std::uint64_t>(period);
}

} // namespace

GroupFolders group_folders(Driver& driver, const Guest& guest) {
    GroupFolders out;
    if (!guest.running || !guest.running->plan.confinement.use_cgroups) return out;
    const auto path = group_path(guest.running->plan.confinement);
    for (const auto& hierarchy : driver.parts().launch.cgroups.hierarchies) {
        const auto has = [&](const char* name) {
            return std::ranges::find(hierarchy.controllers, name) != hierarchy.controllers.end();
        };
        const auto folder = hierarchy.mount + "/" + path;
        if (has("cpu")) out.cpu = folder, out.cpu_v2 = hierarchy.v2;
        if (has("memory")) out.memory = folder, out.memory_v2 = hierarchy.v2;
        if (has("blkio") || has("io")) out.blkio = folder, out.blkio_v2 = hierarchy.v2;
    }
    return out;
}

GroupValues read_groups(const GroupFolders& at) {
    GroupValues out;
    read_cpu(out, at);
    const bool v2 = at.memory_v2;
    out.hard_limit = limit(line_of(at.memory, v2 ? "memory.max" : "memory.limit_in_bytes"));
    out.soft_limit = limit(line_of(at.memory, v2 ? "memory.high" : "memory.soft_limit_in_bytes"));
    out.swap_hard_limit = limit(line_of(at.memory, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes"));
    out.blkio_weight = weight(at);
    return out;
}

} // namespace cloister
