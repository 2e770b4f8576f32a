/// The undo journal of one launch: the inverses of everything done to the host for a guest, on disk before it
/// is done. One file per guest below folders.undo, one JSON object a line: who it is, then what to undo, as
/// it comes. A line that a crash cut off was never acted on. Blocking: run on a worker.
#pragma once

#include "conf/base/result.hpp"
#include "conf/base/uuid.hpp"
#include "security/op.hpp"

#include <string>
#include <utility>
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

/// Writes a journal while a launch goes on. Waits for the disk only when what is added outlives a power cut
/// (owners and modes of files): everything else is gone then anyway, and a crash of the daemon loses nothing.
class JournalWriter {
public:
    /// Replaces the journal of that name.
    static Result<JournalWriter> create(const std::string& folder, const JournalFile& start);
    /// `newest` go before everything added so far.
    Result<> add(const std::vector<Op>& newest);
    Result<> add(const ProcessId& process);

    JournalWriter(JournalWriter&& other) noexcept
        : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
    ~JournalWriter();

private:
    JournalWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    Result<> line(const std::string& text, bool lasts);
    std::string path_;
    int fd_;
};

/// Replaces the journal as a whole.
Result<> save_journal(const std::string& folder, const JournalFile& journal);
/// Errors: internal when the file is not one of ours: it is executed as root, so nothing is guessed.
Result<JournalFile> load_journal(const std::string& path);
Result<> remove_journal(const std::string& folder, const std::string& name);
/// What a journal of an earlier boot still has to take back: owners, modes, and files on disk. Everything
/// else went with that boot, and its name may belong to somebody else now.
std::vector<Op> lasting(const std::vector<Op>& undo);

} // namespace cloister::store
