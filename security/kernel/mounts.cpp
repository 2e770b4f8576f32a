#include "security/kernel/mounts.hpp"

#include "security/cgroup_layout.hpp"
#include "security/kernel/run.hpp"

#include <algorithm>
#include <sstream>
#include <unistd.h>

namespace cloister {

Result<std::vector<Mount>> mounts(const std::string& process) {
    const auto text = read_file("/proc/" + process + "/mountinfo");
    if (!text) return failed("read the mounts of process", process, Layer::mountns);
    std::vector<Mount> out;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        // 36 35 98:0 /root /point options shared:1 master:2 - type source super-options
        std::istringstream words(line);
        std::string parent, device, root, word;
        Mount mount;
        words >> mount.id >> parent >> device >> root >> mount.point >> mount.flags;
        mount.idmapped = (mount.flags + ",").find(",idmapped,") != std::string::npos;
        while (words >> word && word != "-") {
            mount.shared |= word.starts_with("shared:");
            mount.slave |= word.starts_with("master:");
        }
        words >> mount.type >> mount.source >> mount.options;
        mount.point = unescaped_mount_point(mount.point);
        out.push_back(std::move(mount));
    }
    return out;
}

std::vector<std::string> dev_submounts() {
    std::vector<std::string> out;
    const auto all = mounts("self");
    if (!all) return out;
    for (const auto& mount : *all)
        if (mount.point.starts_with("/dev/") && ::access(mount.point.c_str(), F_OK) == 0)
            out.push_back(mount.point);
    std::ranges::sort(out);
    const auto [first, last] = std::ranges::unique(out);
    out.erase(first, last);
    std::vector<std::string> top;
    for (const auto& point : out) // sorted: what contains it comes before it
        if (top.empty() || !point.starts_with(top.back() + "/")) top.push_back(point);
    return top;
}

bool root_is_shared() {
    const auto all = mounts("self");
    return all && std::ranges::any_of(*all, [](const Mount& m) { return m.point == "/" && m.shared; });
}

} // namespace cloister
