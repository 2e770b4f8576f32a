/// What the daemon believes of the child's answer: the child may have been taken over by the image that it
/// read. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "security/image/header.hpp"

#include <string>
#include <string_view>

namespace cloister {

/// More than the longest answer: three names with every byte escaped, and the rest.
inline constexpr std::size_t longest_image_answer = 8192;

/// `image` is named in messages, `asked` is the format that was asked for ("" for whichever it is).
/// Errors: internal for an answer that is not exactly of the known form, or says what no image may say;
/// config_unsupported or internal for an image that the child refused.
Result<ImageHeader> image_answer(std::string_view answer, std::string_view image, std::string_view asked);

/// Whether a format may be told, asked for, or stand in an image as that of its backing file.
bool is_image_format(std::string_view name);

} // namespace cloister
