/// Small files of /proc and /sys, as text and numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// The whole file, at most `most` bytes; absent when it cannot be read.
std::optional<std::string> file_text(const std::string& path, std::size_t most = 1 << 20);
/// The first line without surrounding blanks; empty when it cannot be read.
std::string file_line(const std::string& path);
std::optional<std::uint64_t> file_number(const std::string& path);
/// "0-3,8" as numbers, rising.
std::vector<unsigned> number_list(std::string_view text);
/// Names in a folder, sorted, without "." and "..".
std::vector<std::string> entries(const std::string& folder);
/// The value of "NAME: VALUE" (or "NAME VALUE") in `text`, the first word of it.
std::optional<std::uint64_t> field(std::string_view text, std::string_view name);
std::vector<std::string_view> split(std::string_view text, char at);

} // namespace cloister
