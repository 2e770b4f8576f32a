#include "conf/base/tr.hpp"
#include "security/kernel/process.hpp"
#include "security/kernel/run.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cloister {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{1}; // for the last process of a group to be gone

std::vector<std::string> components(const std::string& path) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        if (end > at) out.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

bool lists(const std::string& words, const std::string& word) {
    return (" " + words + " ").find(" " + word + " ") != std::string::npos;
}

/// v2: a group has only the controllers that its parent hands down.
Result<> hand_down(const std::string& folder, const std::vector<std::string>& controllers) {
    auto handed = read_file(folder + "/cgroup.subtree_control").value_or("");
    std::ranges::replace(handed, '\n', ' ');
    std::string more;
    for (const auto& controller : controllers)
        if (!lists(handed, controller)) more += (more.empty() ? "+" : " +") + controller;
    if (more.empty()) return {};
    return write_file(folder + "/cgroup.subtree_control", more, Layer::cgroup);
}

Result<> fill_if_empty(const std::string& file, const std::string& value) {
    if (value.empty()) return {};
    const auto has = read_file(file);
    if (!has || (!has->empty() && *has != "\n")) return {};
    return write_file(file, value, Layer::cgroup);
}

/// One pass down; false: a folder above vanished meanwhile (the last guest of a partition went).
Result<bool> make_group(const MakeCgroup& op) {
    std::string folder = op.root;
    const auto names = components(op.path);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!op.controllers.empty())
            if (auto handed = hand_down(folder, op.controllers); !handed)
                return std::unexpected(handed.error());
        folder += "/" + names[i];
        const bool leaf = i + 1 == names.size();
        if (::mkdir(folder.c_str(), 0755) < 0) {
            if (errno == ENOENT) return false;
            if (errno != EEXIST) return failed("make group", folder, Layer::cgroup);
            // A guest's own group must be a fresh one: what it still holds is of another, or of nobody.
            if (leaf && !op.partition && (::rmdir(folder.c_str()) < 0 || ::mkdir(folder.c_str(), 0755) < 0))
                return failed("replace group", folder, Layer::cgroup);
        }
        // Whatever our umask: figures of guests are for monitoring programs too.
        if (::chmod(folder.c_str(), 0755) < 0 && errno != ENOENT)
            return failed("change the mode of", folder, Layer::cgroup);
        for (const auto& [file, value] :
             {std::pair{"/cpuset.cpus", op.cpus}, std::pair{"/cpuset.mems", op.mems}})
            if (auto filled = fill_if_empty(folder + file, value); !filled)
                return std::unexpected(filled.error());
    }
    return true;
}

int left_ms(Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, 60000));
}

/// Waits for something to change in a busy group: v2 tells when it is empty, v1 has processes to wait for.
void wait_for_change(const std::string& folder, Clock::time_point deadline) {
    const Fd events(::open((folder + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    if (events) {
        char buffer[256];
        const auto got = ::read(events.n(), buffer, sizeof buffer);
        const std::string_view text(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (text.find("populated 1") != std::string_view::npos) {
            pollfd changed{events.n(), POLLPRI, 0};
            (void)::poll(&changed, 1, left_ms(deadline)); // a spurious end only means another try
            return;
        }
    } else {
        const auto processes = read_file(folder + "/cgroup.procs").value_or("");
        int pid = 0;
        std::from_chars(processes.data(), processes.data() + processes.size(), pid);
        const Fd process(pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
        if (process) {
            pollfd ended{process.n(), POLLIN, 0};
            (void)::poll(&ended, 1, left_ms(deadline)); // likewise
            return;
        }
    }
    (void)::poll(nullptr, 0,
                 std::min(2, left_ms(deadline))); // empty but busy: the kernel has no event for this
}

Result<> remove_group(const std::string& folder, Clock::time_point deadline) {
    std::vector<std::string> below;
    {
        const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), &::closedir);
        if (!listing) {
            if (errno == ENOENT) return {};
            return failed("open group", folder, Layer::cgroup);
        }
        while (const auto* entry = ::readdir(listing.get()))
            if (entry->d_type == DT_DIR && std::string_view(entry->d_name) != "." &&
                std::string_view(entry->d_name) != "..")
                below.push_back(folder + "/" + entry->d_name);
    }
    for (const auto& one : below)
        if (auto removed = remove_group(one, deadline); !removed) return removed;
    while (::rmdir(folder.c_str()) < 0) {
        if (errno == ENOENT) return {};
        if (errno != EBUSY || Clock::now() >= deadline) return failed("remove group", folder, Layer::cgroup);
        wait_for_change(folder, deadline);
    }
    return {};
}

} // namespace

Result<> run(const MakeCgroup& op) {
    for (int tries = 0; tries < 3; ++tries)
        if (TRY(make_group(op))) return {};
    return failed("make group", op.root + "/" + op.path, Layer::cgroup);
}

Result<> run(const RemoveCgroup& op) {
    if (components(op.path).empty()) return fail(Code::internal, tr("a hierarchy's root is not removed"));
    const auto folder = op.root + "/" + op.path;
    if (!op.only_empty) return remove_group(folder, Clock::now() + patience);
    if (::rmdir(folder.c_str()) < 0 && errno != ENOENT && errno != EBUSY && errno != ENOTEMPTY)
        return failed("remove group", folder, Layer::cgroup);
    return {};
}

Result<> run(const SetCgroupValue& op) {
    auto done = write_file(op.file, op.value, Layer::cgroup);
    if (done || op.otherwise.empty() || done.error().sys_errno != ENOENT) return done;
    return write_file(op.otherwise, op.value, Layer::cgroup);
}

Result<> run(const MoveToCgroup& op) {
    std::vector<Fd> files; // all opened first: the writes follow each other at once, within one grace period
    for (const auto& group : op.groups) {
        files.emplace_back(::open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
        if (!files.back()) return failed("open", group + "/cgroup.procs", Layer::cgroup);
    }
    const auto pid = std::to_string(op.pid);
    for (std::size_t i = 0; i < files.size(); ++i)
        if (::write(files[i].n(), pid.data(), pid.size()) < 0)
            return failed("enter group", op.groups[i], Layer::cgroup);
    return {};
}

} // namespace cloister
