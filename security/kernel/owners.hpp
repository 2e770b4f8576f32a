/// Who holds which file of the host, and with which owner and SELinux label. One book for all guests of a
/// daemon: the undo journals on disk fill it again after a restart, so they stay the authority. Files
/// remember both themselves as well, where the file system can (security/remember.hpp). Thread-safe;
/// blocking: for worker threads.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cloister {

/// The holders of files for one security model: `Value` is an Owner or a label.
template <class Value> struct HeldFiles {
    struct Held {
        Value given{}, back{};
        std::map<std::string, bool> holders{}; ///< and whether each counts on the file itself
    };
    std::map<std::pair<std::uint64_t, std::uint64_t>, Held> files{}; ///< device and inode
};

class OwnerBook {
public:
    OwnerBook();
    OwnerBook(const OwnerBook&) = delete;
    OwnerBook& operator=(const OwnerBook&) = delete;
    ~OwnerBook();

    /// Errors: operation_invalid when another holder, or libvirt, needs another owner or label; resource_busy
    /// when it is not the file any more, or when somebody else gave it away since the plan was made.
    Result<> give(const GiveFile& op);
    Result<> give(const LabelFile& op);
    /// The last holder's end restores owner or label. Letting go of what is not held changes nothing.
    /// Errors: resource_busy when it is another file now, or somebody else's.
    Result<> take_back(const ReturnFile& op);
    Result<> take_back(const ReturnLabel& op);
    /// What a journal of this boot says is held.
    void know(const std::vector<Op>& undo);

    /// Nothing is given or taken back while this lives.
    std::unique_lock<std::mutex> still() const;
    /// Whose a held file is without its holders, and its label then. Only while it is still().
    std::optional<Owner> former(const FileId& id) const;
    std::optional<std::string> former_label(const FileId& id) const;

private:
    mutable std::mutex mutex_{};
    HeldFiles<Owner> owners_{};
    HeldFiles<std::string> labels_{};
    std::uint64_t boot_time_ = 0;
};

} // namespace cloister
