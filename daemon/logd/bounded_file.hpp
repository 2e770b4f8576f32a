/// A log that never grows beyond its size: what is too old moves to the backups, and then out of the last
/// one. The files were opened by root and handed over, so nothing here names a path: a rotation copies.
#pragma once

#include "security/kernel/fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cloister::logd {

class BoundedFile {
public:
    /// `log` open for appending and reading, `backups` (newest first) for reading and writing.
    BoundedFile(Fd log, std::vector<Fd> backups, std::uint64_t max_size)
        : log_(std::move(log)), backups_(std::move(backups)), max_size_(max_size) {}

    /// Appends, after a rotation when it would not fit. What a full disk refuses is dropped and counted; the
    /// first line that can be written again says how much that was.
    void append(std::string_view text);
    std::uint64_t lost() const { return lost_; } ///< bytes dropped and not yet told

private:
    bool write_all(std::string_view text);
    /// False: the log could not be emptied.
    bool rotate(std::uint64_t size);

    Fd log_;
    std::vector<Fd> backups_;
    std::uint64_t max_size_;
    std::uint64_t lost_ = 0;
    int why_ = 0;       ///< errno of the first loss
    bool torn_ = false; ///< the last write stopped within a line
};

} // namespace cloister::logd
