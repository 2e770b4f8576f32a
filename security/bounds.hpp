/// How far a guest may reach whose definition came from a client other than root: the host's administrator
/// says it (allowed_paths), and it holds at every start, wherever names lead by then. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "security/look.hpp"
#include "security/plan.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// Whether `path` is one of `allowed` or below one; all are absolute and without links.
bool within(std::string_view path, const std::vector<std::string>& allowed);

/// Every name that check_bounds() will ask `look.paths` about.
std::vector<std::string> paths_of(const Bounds& bounds);

/// Each of bounds.paths, with the links as `look` saw them followed, is within what is allowed; what is not
/// there counts by the folder that is. The ids of `look` are those of the files a launch then changes, so
/// that a link that is swapped in between is noticed. Where a name leads is not told: on the way there may be
/// links that the caller cannot read. Errors: access_denied.
Result<> check_bounds(const Bounds& bounds, const HostLook& look);

} // namespace cloister
