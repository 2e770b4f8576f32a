#include "conf/base/tr.hpp"
#include "security/kernel/launch.hpp"
#include "security/kernel/mounts.hpp"
#include "security/kernel/owners.hpp"
#include "security/kernel/run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <pwd.h>
#include <set>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloister {
namespace {

std::optional<SeenKind> kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return SeenKind::file;
    case S_IFDIR: return SeenKind::directory;
    case S_IFLNK: return SeenKind::symlink;
    case S_IFCHR: return SeenKind::char_device;
    case S_IFBLK: return SeenKind::block_device;
    case S_IFSOCK: return SeenKind::socket;
    case S_IFIFO: return SeenKind::fifo;
    default: return std::nullopt;
    }
}

std::string acl_of(const std::string& path) {
    std::array<char, 4096> bytes{};
    const auto size = ::lgetxattr(path.c_str(), "system.posix_acl_access", bytes.data(), bytes.size());
    return size > 0 ? std::string(bytes.data(), static_cast<std::size_t>(size)) : std::string();
}

/// Where a link leads, as a path whose folders are no links.
std::string leads_to(const std::string& link, const std::string& target) {
    const auto whole = target.starts_with('/') ? target : split(link).first + "/" + target;
    const auto [folder, name] = split(whole);
    std::array<char, PATH_MAX> resolved{};
    if (::realpath(folder.c_str(), resolved.data()) == nullptr) return whole;
    const std::string real = resolved.data();
    return (real == "/" ? "" : real) + "/" + name;
}

/// The folder's own symlinks followed, the last component as it is. Empty when that changes nothing.
std::string real_name(const std::string& path) {
    const auto [folder, name] = split(path);
    std::array<char, PATH_MAX> resolved{};
    if (::realpath(folder.c_str(), resolved.data()) == nullptr) return {};
    const std::string_view real = resolved.data();
    auto out = (real == "/" ? std::string() : std::string(real)) + "/" + name;
    return out == path ? std::string() : out;
}

void see(const std::string& path, std::map<std::string, Seen>& into, const OwnerBook* owners) {
    std::string at = path;
    for (int hops = 0; hops < 40 && !at.empty() && !into.contains(at); ++hops) {
        struct stat found{};
        if (::lstat(at.c_str(), &found) < 0) return;
        const auto kind = kind_of(found.st_mode);
        if (!kind) return;
        Seen seen{.kind = *kind,
                  .id = {found.st_dev, found.st_ino},
                  .owner = {found.st_uid, found.st_gid},
                  .mode = found.st_mode & 07777U};
        if (*kind == SeenKind::char_device || *kind == SeenKind::block_device) {
            seen.major = major(found.st_rdev);
            seen.minor = minor(found.st_rdev);
        }
        if (*kind == SeenKind::symlink) {
            std::array<char, PATH_MAX> target{};
            const auto size = ::readlink(at.c_str(), target.data(), target.size() - 1);
            if (size < 0) return;
            seen.target.assign(target.data(), static_cast<std::size_t>(size));
            seen.next = leads_to(at, seen.target);
        } else {
            seen.acl = acl_of(at);
            seen.real = real_name(at);
            if (owners != nullptr) seen.former = owners->former(seen.id);
        }
        const auto next = seen.next;
        into.emplace(at, std::move(seen));
        at = next;
    }
}

std::optional<std::uint32_t> id_of(const std::string& name, bool group) {
    std::vector<char> space(16384);
    if (name.empty() || name.front() == '+' || (name.front() >= '0' && name.front() <= '9')) {
        std::uint32_t value = 0;
        const auto digits = std::string_view(name).substr(name.starts_with('+') ? 1 : 0);
        const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (wrong == std::errc{} && end == digits.data() + digits.size()) return value;
    }
    if (group) {
        struct ::group entry{}, *found = nullptr;
        ::getgrnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
        return found != nullptr ? std::optional(found->gr_gid) : std::nullopt;
    }
    struct ::passwd entry{}, *found = nullptr;
    ::getpwnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
    return found != nullptr ? std::optional(found->pw_uid) : std::nullopt;
}

HostLook look_at(const std::vector<std::string>& paths, const std::vector<Grant>& grants,
                 const std::vector<Descriptor>& descriptors, const CgroupLayout& cgroups,
                 const OwnerBook* owners) {
    HostLook out{.cgroups = cgroups};
    {
        // A file's owner and what the book says of it belong together.
        const auto still = owners != nullptr ? owners->still() : std::unique_lock<std::mutex>();
        for (const auto& path : paths) see(path, out.paths, owners);
    }
    for (const auto& descriptor : descriptors)
        if (const auto* tap = std::get_if<TapDevice>(&descriptor.what))
            if (::if_nametoindex(tap->name.c_str()) != 0) out.interfaces.push_back(tap->name);
    out.dev_submounts = dev_submounts();
    const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    out.landlock_abi = abi < 0 ? 0 : static_cast<int>(abi);
    for (const auto& name : owner_names_of(grants)) {
        const auto colon = name.find(':');
        if (colon == std::string::npos) continue;
        const auto uid = id_of(name.substr(0, colon), false), gid = id_of(name.substr(colon + 1), true);
        if (uid && gid) out.names[name] = {*uid, *gid};
    }
    const auto last = read_file("/proc/sys/kernel/cap_last_cap").value_or("40");
    std::from_chars(last.data(), last.data() + last.size(), out.last_capability);
    const auto status = read_file("/proc/thread-self/status").value_or("");
    if (const auto at = status.find("CapPrm:\t"); at != std::string::npos)
        std::from_chars(status.data() + at + 8, status.data() + status.size(), out.own_capabilities, 16);
    return out;
}

} // namespace

Result<HostLook> look(const LaunchPlan& plan, const CgroupLayout& cgroups, const OwnerBook* owners) {
    return look_at(paths_of(plan, cgroups), plan.grants, plan.descriptors, cgroups, owners);
}
Result<HostLook> look(const DevicePlan& added, const CgroupLayout& cgroups, const OwnerBook* owners) {
    return look_at(paths_of(added), added.grants, added.descriptors, cgroups, owners);
}

Result<CgroupLayout> cgroup_layout() {
    CgroupLayout out;
    for (const auto& mount : TRY(mounts("self"))) {
        if (mount.type != "cgroup" && mount.type != "cgroup2") continue;
        CgroupHierarchy one{.mount = mount.point, .v2 = mount.type == "cgroup2"};
        auto words = mount.options;
        if (one.v2) {
            words = read_file(mount.point + "/cgroup.controllers").value_or("");
            std::ranges::replace(words, ' ', ',');
            std::ranges::replace(words, '\n', ',');
        }
        for (std::size_t at = 0; at < words.size();) {
            const auto end = std::min(words.find(',', at), words.size());
            const auto word = words.substr(at, end - at);
            at = end + 1;
            // v1: the hierarchy's controllers stand among its mount options
            if (word.empty() || word == "rw" || word == "ro" || word == "xattr" || word == "noprefix" ||
                word == "clone_children" || word.starts_with("release_agent="))
                continue;
            one.controllers.push_back(word);
        }
        const auto same = [&](const CgroupHierarchy& h) { return h.mount == one.mount; };
        std::erase_if(out.hierarchies, same); // a later mount at the same place hides the first
        if (std::ranges::find(one.controllers, "cpuset") != one.controllers.end() && !one.v2) {
            out.cpus = read_file(mount.point + "/cpuset.cpus").value_or("");
            out.mems = read_file(mount.point + "/cpuset.mems").value_or("");
            for (auto* list : {&out.cpus, &out.mems})
                while (!list->empty() && list->back() == '\n') list->pop_back();
        }
        out.hierarchies.push_back(std::move(one));
    }
    return out;
}

} // namespace cloister
