/// Every Op's own function, and what they share. Only apply() and its tests look in here.
#pragma once

#include "conf/base/result.hpp"
#include "security/kernel/apply.hpp"
#include "security/op.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace cloister {

Result<> run(const MakeDirectory& op);
Result<> run(const RemoveDirectory& op);
Result<> run(const MakeFile& op);
Result<> run(const RemoveFile& op);
Result<> run(const Chown& op);
Result<> run(const SetMode& op);
Result<> run(const MakeNode& op);
Result<> run(const MakeLink& op);
Result<> run(const BindMount& op);
Result<> run(const RemoveNode& op);
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
std::string fd_path(int fd); ///< "/proc/self/fd/N": names an open file where a call takes only paths

/// Missing folders on the way to `path` (itself not), searchable but not listable by others.
Result<> make_parents(const std::string& path, std::uint32_t mode = 0711);

} // namespace cloister
