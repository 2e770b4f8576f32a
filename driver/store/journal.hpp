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
    std::string boot_id{};           ///< of the boot in which it was written
    ProcessId process{};             ///< pid 0: not spawned yet
    std::vector<Op> undo{};          ///< newest first: in the order to apply them
    std::vector<Op> until_it_runs{}; ///< more of them, as long as the guest has not run: see Launch
    bool runs = false;               ///< it may have run
    bool operator==(const JournalFile&) const = default;
};

std::string journal_path(const std::string& folder, const std::string& name);

/// Writes a journal while a launch goes on. Waits for the disk only when what is added outlives a power cut
/// (owners and modes of files): everything else is gone then anyway, and a crash of the daemon loses nothing.
class JournalWriter {
public:
    /// Replaces the journal of that name, as a whole.
    static Result<JournalWriter> create(const std::string& folder, const JournalFile& start);
    /// One that is there.
    static Result<JournalWriter> open(std::string path);
    /// `newest` go before everything added so far.
    Result<> add(const std::vector<Op>& newest);
    Result<> add(const ProcessId& process);
    Result<> add_until_it_runs(const std::vector<Op>& newest);
    Result<> add_runs();

    JournalWriter(JournalWriter&& other) noexcept
        : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), name_lasts_(other.name_lasts_) {}
    ~JournalWriter();

private:
    JournalWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    Result<> line(const std::string& text, bool lasts);
    std::string path_;
    int fd_;
    bool name_lasts_ = false; ///< the folder has been synced since the file is new
};

/// Replaces the journal as a whole.
Result<> save_journal(const std::string& folder, const JournalFile& journal);
/// Errors: internal when the file is not one of ours: it is executed as root, so nothing is guessed.
Result<JournalFile> load_journal(const std::string& path);
Result<> remove_journal(const std::string& folder, const std::string& name);
/// Says, before the guest is let run, that `until_it_runs` must not be done any more; on disk when it
/// returns.
Result<> note_it_runs(const std::string& folder, const std::string& name);
/// Takes away what a crash in the middle of a write left beside the journals.
void sweep_unfinished(const std::string& folder);
/// What a journal of an earlier boot still has to take back: owners, modes, and files on disk. Everything
/// else went with that boot, and its name may belong to somebody else now. File systems may have got other
/// device numbers since: a file is known by its inode then.
std::vector<Op> lasting(const std::vector<Op>& undo);
/// What is to be done for a guest that is gone, in the boot `boot_id`.
std::vector<Op> still_to_undo(const JournalFile& journal, const std::string& boot_id);

} // namespace cloister::store
