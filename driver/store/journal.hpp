/// The undo journal of one launch: the inverses of everything done to the host for a guest, on disk before it
/// is done. One file per guest below folders.undo. Blocking: run on a worker.
#pragma once

#include "conf/base/result.hpp"
#include "conf/base/uuid.hpp"
#include "security/op.hpp"

#include <string>
#include <vector>

namespace cloister::store {

struct JournalFile {
    std::string name{};
    Uuid uuid{};
    std::string boot_id{};  ///< of the boot in which it was written
    ProcessId process{};    ///< pid 0: not spawned yet
    std::vector<Op> undo{}; ///< newest first: in the order to apply them
    bool operator==(const JournalFile&) const = default;
};

std::string journal_path(const std::string& folder, const std::string& name);
/// Waits for the disk only when `undo` holds what outlives a reboot (owners and modes of files).
Result<> save_journal(const std::string& folder, const JournalFile& journal);
/// Errors: internal when the file is not one of ours: it is executed as root, so nothing is guessed.
Result<JournalFile> load_journal(const std::string& path);
Result<> remove_journal(const std::string& folder, const std::string& name);
/// What a journal of an earlier boot still has to take back: owners, modes, and files on disk. Everything
/// else went with that boot, and its name may belong to somebody else now.
std::vector<Op> lasting(const std::vector<Op>& undo);

} // namespace cloister::store
