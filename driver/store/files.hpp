/// Files that survive a crash: written beside, synced, renamed, and the folder synced. All calls block: run
/// them on a worker.
#pragma once

#include "conf/base/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace cloister::store {

/// Replaces `path` as a whole, or leaves it as it was. `mode` of the new file; root owns it.
/// Errors: system ("cannot write '…': No space left on device").
Result<> write_file(const std::string& path, std::string_view content, mode_t mode = 0600);
/// The same without waiting for the disk: for what a reboot takes away anyway.
Result<> write_volatile(const std::string& path, std::string_view content, mode_t mode = 0600);
/// The names in a folder are on disk. Errors: system.
Result<> sync_folder(const std::string& folder);
/// The whole file. Errors: system; also when it is larger than `most` bytes or no regular file.
Result<std::string> read_file(const std::string& path, std::size_t most = 16u << 20);
/// Appends a text (a log's line). Makes the file, 0600, when it is absent; refuses to follow a link.
Result<> append_file(const std::string& path, std::string_view text);
/// The last `most` bytes from byte `from` on, cut at the start of a line; of a file that was cut shorter
/// since (a rotated log), of all of it. Empty when there is nothing to read.
std::string tail(const std::string& path, std::size_t from, std::size_t most);
/// Its size; 0 when absent.
std::size_t size_of(const std::string& path);
/// Fine when it is not there.
Result<> remove_file(const std::string& path);
/// With parents. `mode` of the last one, when it was made.
Result<> make_folder(const std::string& path, mode_t mode = 0700);
/// Names in a folder, sorted; empty when there is no such folder.
std::vector<std::string> names_in(const std::string& folder);
bool exists(const std::string& path);

} // namespace cloister::store
