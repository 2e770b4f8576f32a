#include "security/kernel/facts.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/bpf.hpp"
#include "security/kernel/mounts.hpp"
#include "security/kernel/process.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/selinux.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace cloister {
namespace {

std::vector<std::string> names_in(int folder) {
    std::vector<std::string> out;
    Fd own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(own ? ::fdopendir(own.n()) : nullptr, &::closedir);
    if (!listing) return out;
    (void)own.release(); // the listing's now
    while (const auto* entry = ::readdir(listing.get()))
        if (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != "..")
            out.emplace_back(entry->d_name);
    return out;
}
std::vector<std::string> names_in(const std::string& folder) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd ? names_in(fd.n()) : std::vector<std::string>{};
}

template <class T> T number(std::string_view text, int base = 10) {
    T out{};
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    std::from_chars(text.data(), text.data() + text.size(), out, base);
    return out;
}

std::vector<std::uint32_t> numbers(const std::string& text) {
    std::vector<std::uint32_t> out;
    std::istringstream words(text);
    for (std::uint32_t n = 0; words >> n;) out.push_back(n);
    return out;
}

ThreadFacts thread_facts(const std::string& folder, std::int32_t tid, std::uint32_t& umask) {
    ThreadFacts out{.tid = tid};
    std::istringstream lines(read_file(folder + "/status").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        const auto key = line.substr(0, colon);
        const auto value = line.substr(std::min(colon + 2, line.size()));
        if (key == "Name") out.name = value;
        if (key == "Umask") umask = number<std::uint32_t>(value, 8);
        if (key == "Uid") out.uids = numbers(value);
        if (key == "Gid") out.gids = numbers(value);
        if (key == "Groups") out.groups = numbers(value);
        if (key == "CapInh") out.cap_inh = number<std::uint64_t>(value, 16);
        if (key == "CapPrm") out.cap_prm = number<std::uint64_t>(value, 16);
        if (key == "CapEff") out.cap_eff = number<std::uint64_t>(value, 16);
        if (key == "CapBnd") out.cap_bnd = number<std::uint64_t>(value, 16);
        if (key == "CapAmb") out.cap_amb = number<std::uint64_t>(value, 16);
        if (key == "NoNewPrivs") out.no_new_privs = number<int>(value);
        if (key == "Seccomp") out.seccomp_mode = number<int>(value);
        if (key == "Seccomp_filters") out.seccomp_filters = number<int>(value);
    }
    out.context = read_file(folder + "/attr/current").value_or("");
    while (!out.context.empty() && (out.context.back() == '\n' || out.context.back() == '\0'))
        out.context.pop_back();
    return out;
}

/// Everything on one file system: what lies in kept mounts is the host's own.
void list_dev(int folder, const std::string& path, dev_t device, std::map<std::string, Seen>& out) {
    for (const auto& name : names_in(folder)) {
        struct stat found{};
        const auto full = path + "/" + name;
        if (::fstatat(folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) continue;
        Seen seen{.id = {found.st_dev, found.st_ino},
                  .owner = {found.st_uid, found.st_gid},
                  .mode = found.st_mode & 07777U};
        switch (found.st_mode & S_IFMT) {
        case S_IFDIR: seen.kind = SeenKind::directory; break;
        case S_IFLNK: seen.kind = SeenKind::symlink; break;
        case S_IFCHR: seen.kind = SeenKind::char_device; break;
        case S_IFBLK: seen.kind = SeenKind::block_device; break;
        case S_IFSOCK: seen.kind = SeenKind::socket; break;
        case S_IFIFO: seen.kind = SeenKind::fifo; break;
        default: seen.kind = SeenKind::file; break;
        }
        if (seen.kind == SeenKind::char_device || seen.kind == SeenKind::block_device) {
            seen.major = major(found.st_rdev);
            seen.minor = minor(found.st_rdev);
        }
        if (seen.kind == SeenKind::symlink) {
            std::array<char, PATH_MAX> target{};
            const auto size = ::readlinkat(folder, name.c_str(), target.data(), target.size() - 1);
            if (size > 0) seen.target.assign(target.data(), static_cast<std::size_t>(size));
        }
        out[full] = seen;
        if (seen.kind != SeenKind::directory || found.st_dev != device) continue;
        const Fd below(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (below) list_dev(below.n(), full, device, out);
    }
}

void threads_in(const std::string& group, std::set<std::int32_t>& out, int depth = 0) {
    for (const char* file : {"/tasks", "/cgroup.threads"}) {
        std::istringstream words(read_file(group + file).value_or(""));
        for (std::int32_t tid = 0; words >> tid;) out.insert(tid);
    }
    if (depth > 2) return; // vcpu and emulator groups, no deeper
    for (const auto& name : names_in(group)) {
        struct stat found{};
        const auto below = group + "/" + name;
        if (::lstat(below.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) threads_in(below, out, depth + 1);
    }
}

/// From the text: prlimit(2) on another's process needs CAP_SYS_RESOURCE even to read.
std::map<int, std::pair<std::uint64_t, std::uint64_t>> limits_of(const std::string& folder) {
    static constexpr std::array<std::pair<int, std::string_view>, 4> wanted{
        {{RLIMIT_MEMLOCK, "Max locked memory"},
         {RLIMIT_NPROC, "Max processes"},
         {RLIMIT_NOFILE, "Max open files"},
         {RLIMIT_CORE, "Max core file size"}}};
    std::map<int, std::pair<std::uint64_t, std::uint64_t>> out;
    std::istringstream lines(read_file(folder + "/limits").value_or(""));
    for (std::string line; std::getline(lines, line);)
        for (const auto& [resource, name] : wanted) {
            if (!line.starts_with(name)) continue;
            std::istringstream words(line.substr(name.size()));
            std::string soft, hard;
            words >> soft >> hard;
            const auto value = [](const std::string& word) {
                return word == "unlimited" ? ~std::uint64_t{0} : number<std::uint64_t>(word);
            };
            out[resource] = {value(soft), value(hard)};
        }
    return out;
}

std::optional<ino_t> inode_of(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) < 0) return std::nullopt;
    return found.st_ino;
}

Result<> mount_facts(const std::string& pid, ProcessFacts& out) {
    const auto theirs = inode_of("/proc/" + pid + "/ns/mnt");
    if (!theirs) return failed("read the mount namespace of process", pid, Layer::mountns);
    out.own_mount_namespace = theirs != inode_of("/proc/self/ns/mnt");
    if (!out.own_mount_namespace) return {};
    for (const auto& mount : TRY(mounts(pid))) {
        if (mount.idmapped) out.idmapped_mounts.push_back(mount.point);
        if (mount.shared) out.peer_mounts.push_back(mount.point);
        if (mount.point == "/") out.follows_host = mount.slave;
        if (mount.point == "/dev") out.dev_flags = mount.flags; // a later one hides the earlier
        if (mount.point == "/dev" || mount.point.starts_with("/dev/")) out.dev_mounts.push_back(mount.point);
    }
    const Fd dev(
        ::open(("/proc/" + pid + "/root/dev").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat found{};
    if (!dev || ::fstat(dev.n(), &found) < 0) return failed("open the /dev of process", pid, Layer::mountns);
    list_dev(dev.n(), "/dev", found.st_dev, out.dev);
    out.dev_label = label_of(dev).value_or("");
    return {};
}

} // namespace

Result<ProcessFacts> process_facts(const ProcessId& process, const Lowered& lowered) {
    const auto alive = open_process(process);
    if (!alive) return fail(Code::operation_failed, tr("process {0} is gone", process.pid));
    ProcessFacts out{.process = process};
    const auto pid = std::to_string(process.pid), folder = "/proc/" + pid;
    for (const auto& tid : names_in(folder + "/task"))
        out.threads.push_back(thread_facts(folder + "/task/" + tid, number<std::int32_t>(tid), out.umask));
    std::ranges::sort(out.threads, {}, &ThreadFacts::tid);
    if (auto read = mount_facts(pid, out); !read) return std::unexpected(read.error());

    for (const auto& op : lowered.ownership)
        if (const auto* file = std::get_if<LabelFile>(&op))
            out.labels[file->path] = label_of(file->path).value_or("");

    auto groups = lowered.groups;
    if (!lowered.cgroup_v2.empty()) groups.push_back(lowered.cgroup_v2);
    for (const auto& group : groups) threads_in(group, out.cgroups[group]);
    if (lowered.device_backend != DeviceBackend::none)
        if (const auto list = TRY(read_device_list(lowered.device_backend, lowered.device_group))) {
            out.device_rules = list->rules;
            out.device_programs = list->programs;
        }
    out.denials = TRY(read_denials(lowered.device_backend, lowered.device_group));
    out.limits = limits_of(folder);
    for (const auto& name : names_in(folder + "/fd")) {
        std::array<char, PATH_MAX> target{};
        const auto size = ::readlink((folder + "/fd/" + name).c_str(), target.data(), target.size() - 1);
        if (size > 0) out.fds[number<int>(name)] = std::string(target.data(), static_cast<std::size_t>(size));
    }
    // A path may lead there through links: what counts is that it is the same file.
    for (const auto& op : lowered.descriptors)
        if (const auto* file = std::get_if<OpenFile>(&op)) {
            const int number_in_qemu = lowered.fds.at(file->symbol);
            struct stat planned{}, found{};
            if (::stat(file->path.c_str(), &planned) == 0 &&
                ::stat((folder + "/fd/" + std::to_string(number_in_qemu)).c_str(), &found) == 0 &&
                planned.st_dev == found.st_dev && planned.st_ino == found.st_ino)
                out.fds[number_in_qemu] = file->path;
        }
    const auto environment = read_file(folder + "/environ").value_or("");
    for (std::size_t at = 0; at < environment.size();) {
        const auto end = std::min(environment.find('\0', at), environment.size());
        out.environment.push_back(environment.substr(at, end - at));
        at = end + 1;
    }
    // Everything above was of this very process only if it still is there.
    if (!open_process(process)) return fail(Code::operation_failed, tr("process {0} is gone", process.pid));
    return out;
}

Result<Report> verify(const LaunchPlan& plan, const Lowered& lowered, const ProcessId& process) {
    return verify(plan, lowered, TRY(process_facts(process, lowered)));
}

} // namespace cloister
