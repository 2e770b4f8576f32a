#include "conf/base/tr.hpp"
#include "security/bounds.hpp"
#include "security/cgroup_layout.hpp"
#include "security/kernel/bpf.hpp"
#include "security/kernel/launch.hpp"
#include "security/kernel/mounts.hpp"
#include "security/kernel/multipath.hpp"
#include "security/kernel/owners.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/selinux.hpp"
#include "security/landlock.hpp"

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

/// What SELinux has to say of files; without it nothing.
class Labels {
public:
    explicit Labels(bool enabled) {
        if (!enabled) return;
        labelled_.emplace();
        for (const auto& mount : mounts("self").value_or(std::vector<Mount>{}))
            if (has(mount.options, "seclabel") && !has(mount.options, "ro") && !has(mount.flags, "ro"))
                labelled_->insert(mount.id);
    }
    bool enabled() const { return labelled_.has_value(); }
    void see(const std::string& path, const struct stat& found, const OwnerBook* owners, Seen& seen) const {
        if (!labelled_) return;
        seen.label = label_of(path).value_or("");
        seen.default_label = default_label(seen.real.empty() ? path : seen.real, found.st_mode).value_or("");
        if (owners != nullptr) seen.former_label = owners->former_label(seen.id);
        struct statx on{};
        if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &on) == 0)
            seen.can_be_labelled = labelled_->contains(on.stx_mnt_id);
    }

private:
    static bool has(const std::string& options, const std::string& word) {
        return ("," + options + ",").find("," + word + ",") != std::string::npos;
    }
    std::optional<std::set<std::uint64_t>> labelled_{}; ///< mounts of file systems that take labels, by id
};

void see(const std::string& path, std::map<std::string, Seen>& into, const OwnerBook* owners,
         const Labels& labels) {
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
            labels.see(at, found, owners, seen);
        }
        if (*kind == SeenKind::block_device) seen.multipath = multipath_disks("/sys", seen.major, seen.minor);
        const auto next = seen.next;
        const auto disks = seen.multipath;
        into.emplace(at, std::move(seen));
        for (const auto& disk : disks) see(disk, into, owners, labels);
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

int landlock_abi() {
    const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : static_cast<int>(abi);
}

/// What a launch asks about, whole or for one more device.
struct Asked {
    const std::vector<Grant>& grants;
    const std::vector<Descriptor>& descriptors;
    const std::vector<MadeFile>& files;
};

HostLook look_at(const std::vector<std::string>& paths, const Asked& asked, const CgroupLayout& cgroups,
                 const OwnerBook* owners) {
    HostLook out{.cgroups = cgroups};
    const Labels labels(selinux_enabled());
    if (labels.enabled()) {
        for (const auto& file : asked.files)
            if (file.keep)
                out.default_labels[file.path] = default_label(file.path, S_IFREG | file.mode).value_or("");
    }
    {
        // A file's owner and what the book says of it belong together.
        const auto still = owners != nullptr ? owners->still() : std::unique_lock<std::mutex>();
        for (const auto& path : paths) see(path, out.paths, owners, labels);
    }
    for (const auto& descriptor : asked.descriptors)
        if (const auto* tap = std::get_if<TapDevice>(&descriptor.what))
            if (::if_nametoindex(tap->name.c_str()) != 0) out.interfaces.push_back(tap->name);
    out.dev_submounts = dev_submounts();
    out.landlock_abi = landlock_abi();
    for (const auto& name : owner_names_of(asked.grants)) {
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

std::vector<std::string> with_bounds(std::vector<std::string> paths, const std::optional<Bounds>& bounds) {
    if (bounds)
        for (auto& path : paths_of(*bounds)) paths.push_back(std::move(path));
    return paths;
}

} // namespace

Result<HostLook> look(const LaunchPlan& plan, const CgroupLayout& cgroups, const OwnerBook* owners) {
    return look_at(with_bounds(paths_of(plan, cgroups), plan.bounds),
                   {plan.grants, plan.descriptors, plan.files}, cgroups, owners);
}
Result<HostLook> look(const DevicePlan& added, const CgroupLayout& cgroups, const OwnerBook* owners) {
    return look_at(with_bounds(paths_of(added), added.bounds), {added.grants, added.descriptors, added.files},
                   cgroups, owners);
}

Result<CgroupLayout> cgroup_layout() {
    CgroupTexts texts;
    const auto mounted = read_file("/proc/self/mounts");
    if (!mounted) return failed("read", "/proc/self/mounts", Layer::cgroup);
    texts.mounts = *mounted;
    for (const auto& point : mount_points(texts.mounts, "cgroup")) {
        if (auto cpus = read_file(point + "/cpuset.cpus")) texts.cpus[point] = *cpus;
        if (auto mems = read_file(point + "/cpuset.mems")) texts.mems[point] = *mems;
    }
    texts.device_programs = false;
    for (const auto& point : mount_points(texts.mounts, "cgroup2")) {
        texts.controllers[point] = read_file(point + "/cgroup.controllers").value_or("");
        texts.device_programs |= takes_device_programs(point);
    }
    return cgroup_layout(texts);
}

std::vector<std::string> host_warnings(const CgroupLayout& cgroups, bool mount_namespaces) {
    auto out = cgroups.notes;
    if (device_backend(cgroups) == DeviceBackend::none) out.push_back(without_device_backend(cgroups));
    if (mount_namespaces && !root_is_shared())
        out.push_back(
            tr("the mount of '/' is not shared: what is mounted on the host after a guest started does "
               "not appear inside that guest; 'mount --make-rshared /' changes that for guests that "
               "start afterwards"));
    for (auto& note : landlock_domain(landlock_abi()).notes) out.push_back(std::move(note));
    return out;
}

} // namespace cloister
