#include "security/bounds.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <set>

namespace cloister {
namespace {

std::string_view folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos || slash == 0 ? std::string_view("/") : path.substr(0, slash);
}

/// Without any link; of what is not there, what it would be in the nearest folder that is.
std::string real_path(const HostLook& look, const std::string& path) {
    const auto there = destination(look, path);
    if (there.seen != nullptr) return there.seen->real.empty() ? there.path : there.seen->real;
    if (there.path == "/") return there.path;
    const std::string folder(folder_of(there.path));
    const auto real = real_path(look, folder);
    return (real == "/" ? std::string() : real) + there.path.substr(folder == "/" ? 0 : folder.size());
}

/// A name's last "..", or one below a folder that is not there, cannot be followed: where it leads is not
/// known.
bool has_dots(std::string_view path) {
    for (std::string_view dots : {"/.", "/.."})
        if (path.ends_with(dots) || path.find(std::string(dots) + "/") != std::string_view::npos) return true;
    return false;
}

} // namespace

bool within(std::string_view path, const std::vector<std::string>& allowed) {
    return std::ranges::any_of(allowed, [&](const std::string& top) {
        if (!path.starts_with(top)) return false;
        return path.size() == top.size() || top.ends_with('/') || path[top.size()] == '/';
    });
}

std::vector<std::string> paths_of(const Bounds& bounds) {
    std::set<std::string> out(bounds.within.begin(), bounds.within.end());
    for (const auto& path : bounds.paths)
        for (std::string_view at = path; out.emplace(at).second && at != "/";) at = folder_of(at);
    return {out.begin(), out.end()};
}

Result<> check_bounds(const Bounds& bounds, const HostLook& look) {
    std::vector<std::string> tops;
    for (const auto& top : bounds.within) tops.push_back(real_path(look, top));
    for (const auto& path : bounds.paths) {
        const auto real = real_path(look, path);
        if (within(real, tops) && !has_dots(real)) continue;
        return fail(
            Code::access_denied,
            path == real
                ? tr("'{0}' is not within what clients other than root may name (allowed_paths)", path)
                : tr("'{0}' leads out of what clients other than root may name (allowed_paths)", path));
    }
    return {};
}

} // namespace cloister
