/// Every Op's own function, and what they share. Only apply() and its tests look in here.
#pragma once

#include "conf/base/result.hpp"
#include "security/kernel/apply.hpp"
#include "security/op.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <sys/stat.h>

namespace cloister {

Result<> run(const MakeDirectory& op);
Result<> run(const RemoveDirectory& op);
Result<> run(const MakeFile& op);
Result<> run(const RemoveFile& op);
Result<> run(const Chown& op);
Result<> run(const GiveFile& op, OwnerBook& owners);
Result<> run(const ReturnFile& op, OwnerBook& owners);
Result<> run(const LabelFile& op, OwnerBook& owners);
Result<> run(const ReturnLabel& op, OwnerBook& owners);
Result<> run(const LabelTree& op);
Result<> run(const LoadProfile& op);
Result<> run(const RemoveProfile& op);
Result<> run(const SetMode& op);
Result<> run(const MakeNode& op);
Result<> run(const MakeLink& op);
Result<> run(const BindMount& op);
Result<> run(const RemoveNode& op);
Result<> run(const MapOwner& op);
Result<> run(const UnmapOwner& op);
Result<> run(const MakeCgroup& op);
Result<> run(const RemoveCgroup& op);
Result<> run(const SetCgroupValue& op);
Result<> run(const MoveToCgroup& op);
Result<> run(const DeviceAcl& op);
Result<> run(const AddDevices& op);
Result<> run(const RemoveDevices& op);
Result<> run(const BindSocket& op, Opened& opened);
Result<> run(const MakeTap& op, Opened& opened);
Result<> run(const RemoveTap& op);
Result<> run(const OpenFile& op, Opened& opened);
Result<> run(const OpenVsock& op, Opened& opened);
Result<> run(const StopProcess& op);

/// "cannot VERB 'PATH': text of errno", with errno as it is now.
std::unexpected<Error> failed(std::string_view verb, std::string_view path, Layer layer,
                              std::source_location where = std::source_location::current());
/// The folder and the last component of an absolute path.
std::pair<std::string, std::string> split(const std::string& path);
/// Whole contents; empty when it cannot be read (errno is set).
std::optional<std::string> read_file(const std::string& path);
/// One write(2) of all of it, as the kernel's control files want it. Errors: system.
Result<> write_file(const std::string& path, std::string_view value, Layer layer);
/// Runs `work` in the mount namespace of the process behind `guest`, a pidfd, on a thread of its own: nothing
/// is forked, and no other thread's root or folder changes.
Result<> inside(const Fd& guest, const std::function<Result<>()>& work);
/// Whether what was found is what the plan was made for.
bool same_file(const struct stat& found, const FileId& id);
/// What a chown may meet on file systems without owners, or that are read-only: the mode bits decide then.
bool owners_are_fixed(int number);
/// O_PATH of a name that must have no symlink in it; empty with errno.
Fd open_without_links(const std::string& path);
std::string fd_path(int fd); ///< "/proc/self/fd/N": names an open file where a call takes only paths

/// The name under which `path` is written before it is renamed: what a crash in between leaves.
std::string unfinished(const std::string& path);

/// Missing folders on the way to `path` (itself not), searchable but not listable by others.
Result<> make_parents(const std::string& path, std::uint32_t mode = 0711);

} // namespace cloister
