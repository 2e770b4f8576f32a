#include "security/cgroup_layout.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <array>
#include <sstream>

namespace cloister {

std::string unescaped_mount_point(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '3') {
            out +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else
            out += text[i];
    return out;
}

namespace {

struct MountLine {
    std::string type{}, point{}, options{};
};

std::vector<MountLine> lines_of(std::string_view mounts) {
    std::vector<MountLine> out;
    std::istringstream lines{std::string(mounts)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string source;
        MountLine one;
        if (words >> source >> one.point >> one.type >> one.options) {
            one.point = unescaped_mount_point(one.point);
            std::erase_if(out, [&](const MountLine& earlier) { return earlier.point == one.point; });
            out.push_back(std::move(one));
        }
    }
    return out;
}

std::vector<std::string> split_at(std::string text, char separator) {
    std::vector<std::string> out;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, separator);)
        if (!word.empty()) out.push_back(word);
    return out;
}

/// v1: the hierarchy's controllers stand among its mount options, and are what no mount option is.
std::vector<std::string> v1_controllers(const std::string& options) {
    static constexpr std::array<std::string_view, 14> flags{
        "rw",         "ro",          "nosuid", "nodev",   "noexec",   "relatime", "noatime",
        "nodiratime", "strictatime", "sync",   "dirsync", "lazytime", "xattr",    "noprefix"};
    std::vector<std::string> out;
    for (auto& word : split_at(options, ','))
        if (std::ranges::find(flags, word) == flags.end() && word != "clone_children" &&
            word != "cpuset_v2_mode" && word != "favordynmods" && word != "seclabel" &&
            !word.starts_with("release_agent="))
            out.push_back(std::move(word));
    return out;
}

std::vector<std::string> v2_controllers(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return split_at(std::move(text), ' ');
}

std::string line_at(const std::map<std::string, std::string>& texts, const std::string& point) {
    const auto found = texts.find(point);
    if (found == texts.end()) return {};
    return found->second.substr(0, found->second.find('\n'));
}

bool has_devices(const CgroupHierarchy& hierarchy) {
    return !hierarchy.v2 &&
           std::ranges::find(hierarchy.controllers, "devices") != hierarchy.controllers.end();
}

} // namespace

std::vector<std::string> mount_points(std::string_view mounts, std::string_view type) {
    std::vector<std::string> out;
    for (auto& line : lines_of(mounts))
        if (line.type == type) out.push_back(std::move(line.point));
    return out;
}

CgroupLayout cgroup_layout(const CgroupTexts& texts) {
    CgroupLayout out{.device_programs = texts.device_programs};
    for (const auto& line : lines_of(texts.mounts)) {
        if (line.type != "cgroup" && line.type != "cgroup2") continue;
        CgroupHierarchy one{.mount = line.point, .v2 = line.type == "cgroup2"};
        one.controllers =
            one.v2 ? v2_controllers(line_at(texts.controllers, line.point)) : v1_controllers(line.options);
        const auto words = split_at(line.options, ',');
        if (std::ranges::find(words, "ro") != words.end()) {
            out.notes.push_back(tr("cgroup: '{0}' is mounted read-only and is left alone", one.mount));
            continue;
        }
        const auto same = [&](const CgroupHierarchy& h) {
            return h.v2 == one.v2 && (h.v2 || h.controllers == one.controllers);
        };
        if (std::ranges::any_of(out.hierarchies, same)) continue;
        if (!one.v2 && std::ranges::find(one.controllers, "cpuset") != one.controllers.end()) {
            out.cpus = line_at(texts.cpus, one.mount);
            out.mems = line_at(texts.mems, one.mount);
        }
        out.hierarchies.push_back(std::move(one));
    }
    return out;
}

DeviceBackend device_backend(const CgroupLayout& layout) {
    if (layout.device_programs && std::ranges::any_of(layout.hierarchies, &CgroupHierarchy::v2))
        return DeviceBackend::bpf;
    return std::ranges::any_of(layout.hierarchies, has_devices) ? DeviceBackend::v1 : DeviceBackend::none;
}

std::string without_device_backend(const CgroupLayout& layout) {
    if (std::ranges::any_of(layout.hierarchies, &CgroupHierarchy::v2))
        return tr("cgroup: no device list: the kernel attaches no device programs to v2 groups "
                  "(CONFIG_CGROUP_BPF), and this host has no v1 controller 'devices'");
    return tr("cgroup: this host has neither a v2 hierarchy nor the v1 controller 'devices'");
}

} // namespace cloister
