#include "security/kernel/selinux.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <mutex>
#include <selinux/label.h>
#include <selinux/selinux.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>

namespace cloister {
namespace {

constexpr const char* attribute = "security.selinux";
constexpr int deepest = 64; // as for the removal of a guest's folder

std::optional<std::string> read_label(const char* path, bool follow) {
    std::array<char, 4096> value{};
    const auto size = follow ? ::getxattr(path, attribute, value.data(), value.size())
                             : ::lgetxattr(path, attribute, value.data(), value.size());
    if (size <= 0) return std::nullopt;
    std::string out(value.data(), static_cast<std::size_t>(size));
    while (!out.empty() && out.back() == '\0') out.pop_back();
    return out;
}

/// The policy's file contexts, read anew when they changed. libselinux's handle is not for two threads.
class FileContexts {
public:
    std::optional<std::string> at(const std::string& path, std::uint32_t mode) {
        const std::lock_guard lock(mutex_);
        struct stat found{};
        if (::stat(::selinux_file_context_path(), &found) < 0) return std::nullopt;
        const bool same =
            handle_ && found.st_mtim.tv_sec == read_.tv_sec && found.st_mtim.tv_nsec == read_.tv_nsec;
        if (!same) {
            handle_.reset(::selabel_open(SELABEL_CTX_FILE, nullptr, 0));
            read_ = found.st_mtim;
        }
        if (!handle_) return std::nullopt;
        char* context = nullptr;
        if (::selabel_lookup_raw(handle_.get(), &context, path.c_str(), static_cast<int>(mode)) < 0)
            return std::nullopt;
        std::string out = context;
        ::freecon(context);
        return out;
    }

private:
    std::mutex mutex_{};
    std::unique_ptr<selabel_handle, void (*)(selabel_handle*)> handle_{nullptr, &::selabel_close};
    timespec read_{};
};

Result<> label_one(const Fd& file, const std::string& name, const std::string& label, std::uint32_t mode) {
    if (!label.empty()) return set_label(file, name, label);
    const auto usual = default_label(name, mode);
    return usual ? set_label(file, name, *usual) : Result<>{};
}

Result<> label_below(const Fd& folder, const std::string& path, const std::string& label, int depth) {
    if (depth > deepest) return fail(Code::system, tr("'{0}' is nested too deeply to be labelled", path));
    const int copy = ::openat(folder.n(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
    if (!listing) return failed("list", path, Layer::selinux);
    while (const auto* entry = ::readdir(listing.get())) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        open_how how{.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                     .mode = 0,
                     .resolve = RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
        const Fd one(static_cast<int>(::syscall(SYS_openat2, folder.n(), name.c_str(), &how, sizeof how)));
        struct stat found{};
        const auto full = path + "/" + name;
        if (!one || ::fstat(one.n(), &found) < 0) {
            if (errno == ENOENT) continue; // gone meanwhile
            return failed("open", full, Layer::selinux);
        }
        if (S_ISLNK(found.st_mode)) continue;
        TRY(label_one(one, full, label, found.st_mode));
        if (S_ISDIR(found.st_mode)) TRY(label_below(one, full, label, depth + 1));
    }
    return {};
}

} // namespace

bool selinux_enabled() { return ::is_selinux_enabled() == 1; }

Result<std::optional<SelinuxPolicy>> selinux_policy() {
    if (!selinux_enabled()) return std::optional<SelinuxPolicy>{};
    const auto text = [](const char* path) -> Result<std::string> {
        auto out = read_file(path);
        if (!out) return failed("read the policy's contexts of guests,", path, Layer::selinux);
        return std::move(*out);
    };
    char* own = nullptr;
    if (::getcon_raw(&own) < 0) return failed("read", "the daemon's own SELinux context", Layer::selinux);
    const std::string daemon = own;
    ::freecon(own);
    return std::optional(selinux_policy_in(TRY(text(::selinux_virtual_domain_context_path())),
                                           TRY(text(::selinux_virtual_image_context_path())), daemon,
                                           ::is_selinux_mls_enabled() == 1));
}

std::optional<std::string> label_of(const Fd& file) { return read_label(fd_path(file.n()).c_str(), true); }
std::optional<std::string> label_of(const std::string& path) { return read_label(path.c_str(), false); }

std::optional<std::string> default_label(const std::string& path, std::uint32_t mode) {
    static FileContexts contexts;
    return contexts.at(path, mode);
}

Result<> set_label(const Fd& file, const std::string& name, const std::string& label) {
    // With its end, as libselinux and the policy's tools write it.
    if (::setxattr(fd_path(file.n()).c_str(), attribute, label.c_str(), label.size() + 1, 0) == 0) return {};
    if (errno == EOPNOTSUPP || errno == EROFS) return {};
    const int number = errno;
    return std::unexpected(
        system_error(number,
                     tr("unable to set security context '{0}' on '{1}', whose label is {2}", label, name,
                        label_of(file).value_or("?")),
                     Layer::selinux));
}

namespace {

const char* class_of(std::uint32_t type) {
    switch (type & S_IFMT) {
    case S_IFDIR: return "dir";
    case S_IFCHR: return "chr_file";
    case S_IFBLK: return "blk_file";
    case S_IFSOCK: return "sock_file";
    case S_IFIFO: return "fifo_file";
    default: return "file";
    }
}

std::optional<bool> allows(const std::string& context, const std::string& label, const char* kind,
                           const char* right) {
    const auto number = ::string_to_security_class(kind);
    const auto bit = number == 0 ? 0 : ::string_to_av_perm(number, right);
    av_decision found{};
    if (bit == 0 || ::security_compute_av_raw(context.c_str(), label.c_str(), number, bit, &found) < 0)
        return std::nullopt;
    return (found.allowed & bit) == bit;
}

} // namespace

LabelFacts label_facts(const std::string& path, std::uint32_t type, const std::string& context) {
    LabelFacts out;
    std::array<char, PATH_MAX> resolved{};
    const std::string real = ::realpath(path.c_str(), resolved.data()) ? resolved.data() : path;
    for (auto slash = real.find('/', 1); slash != std::string::npos; slash = real.find('/', slash + 1)) {
        const auto folder = real.substr(0, slash);
        const auto label = label_of(folder).value_or("");
        if (label.empty() || allows(context, label, "dir", "search").value_or(true)) continue;
        out.folder = folder;
        out.folder_label = label;
        break;
    }
    out.label = label_of(real).value_or("");
    if (out.label.empty()) return out;
    out.may_read = allows(context, out.label, class_of(type), "read");
    out.may_write = allows(context, out.label, class_of(type), "write");
    return out;
}

Result<SocketLabel> SocketLabel::set(const std::string& label) {
    if (label.empty()) return SocketLabel(false);
    if (::setsockcreatecon_raw(label.c_str()) < 0)
        return std::unexpected(system_error(
            errno, tr("unable to set the security context of a new socket to '{0}'", label), Layer::selinux));
    return SocketLabel(true);
}
SocketLabel::SocketLabel(SocketLabel&& other) noexcept : active_(std::exchange(other.active_, false)) {}
SocketLabel::~SocketLabel() {
    if (active_) (void)::setsockcreatecon_raw(nullptr); // only ever fails when setting it would have
}

Result<> run(const LabelTree& op) {
    const Fd folder = open_without_links(op.path);
    struct stat found{};
    if (!folder || ::fstat(folder.n(), &found) < 0) {
        if (op.label.empty() && (errno == ENOENT || errno == ENOTDIR)) return {}; // nothing to take back
        return failed("open", op.path, Layer::selinux);
    }
    TRY(label_one(folder, op.path, op.label, found.st_mode));
    return S_ISDIR(found.st_mode) ? label_below(folder, op.path, op.label, 0) : Result<>{};
}

} // namespace cloister
