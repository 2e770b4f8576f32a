#include "security/kernel/multipath.hpp"

#include "security/kernel/run.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>

namespace cloister {

std::string device_name(const std::string& uevent) {
    constexpr std::string_view key = "DEVNAME=";
    const auto at = ("\n" + uevent).find("\n" + std::string(key));
    if (at == std::string::npos) return {};
    const auto begin = at + key.size();
    return "/dev/" + uevent.substr(begin, uevent.find('\n', begin) - begin);
}

std::vector<std::string> multipath_disks(const std::string& sys, std::uint32_t major, std::uint32_t minor) {
    const auto device = fmt::format("{}/dev/block/{}:{}", sys, major, minor);
    if (!read_file(device + "/dm/uuid").value_or("").starts_with("mpath-")) return {};
    std::vector<std::string> out;
    std::error_code gone; // a device that goes meanwhile has no paths
    for (const auto& slave : std::filesystem::directory_iterator(device + "/slaves", gone))
        if (auto name = device_name(read_file(slave.path().string() + "/uevent").value_or("")); !name.empty())
            out.push_back(std::move(name));
    std::ranges::sort(out);
    return out;
}

} // namespace cloister
