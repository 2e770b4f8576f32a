/// The names that images hold of other images. Pure.
#pragma once

#include "conf/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// Where a name in an image leads: an absolute path, made so against the folder of the image that holds it.
/// Errors: config_unsupported for a protocol ("nbd://…", "json:{…}", "rbd:…"), which is named.
Result<std::string> backing_path(std::string_view image, std::string_view written);

/// Whether `path` is one of `folders` or below one of them. All absolute and without symlinks.
bool is_below(std::string_view path, const std::vector<std::string>& folders);

} // namespace cloister
