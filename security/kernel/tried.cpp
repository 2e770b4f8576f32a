#include "security/tried.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloister {
namespace {

int error_of(int result) { return result == 0 ? 0 : errno; }

void describe(const char* path, Tried& out) {
    struct statx found{};
    if (::statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found) != 0) return;
    out.type = found.stx_mode & S_IFMT;
    out.mode = found.stx_mode & 07777U;
    out.uid = found.stx_uid;
    out.gid = found.stx_gid;
    out.major = found.stx_rdev_major;
    out.minor = found.stx_rdev_minor;
    out.immutable = (found.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0;
    out.has_acl = ::getxattr(path, "system.posix_acl_access", nullptr, 0) > 0;
    struct statvfs mount{};
    if (::statvfs(path, &mount) != 0) return;
    out.read_only = (mount.f_flag & ST_RDONLY) != 0;
    out.no_devices = (mount.f_flag & ST_NODEV) != 0;
}

} // namespace

Tried tried(const char* path) {
    Tried out;
    struct stat found{};
    out.error = error_of(::stat(path, &found));
    if (out.error == 0) {
        describe(path, out);
        out.read_error = error_of(::access(path, R_OK));
        out.write_error = error_of(::access(path, W_OK));
        return out;
    }
    // Which folder on the way it was: the last that can be seen, when it may not be searched.
    std::string way(path);
    while (way.size() > 1) {
        const auto slash = way.rfind('/');
        if (slash == std::string::npos) break;
        way.resize(slash == 0 ? 1 : slash);
        if (::stat(way.c_str(), &found) != 0) continue;
        describe(way.c_str(), out);
        out.stuck = static_cast<std::uint32_t>(way.size());
        break;
    }
    return out;
}

} // namespace cloister
