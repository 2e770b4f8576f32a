#include "daemon/logd/bounded_file.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister::logd {
namespace {

/// As the daemon writes it. By arithmetic, because gmtime() reads files and here nothing can be opened.
std::string stamp() {
    using namespace std::chrono;
    const auto now = floor<milliseconds>(system_clock::now());
    const auto day = floor<days>(now);
    const year_month_day date(day);
    const hh_mm_ss time(now - day);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}+0000", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count(),
                       time.subseconds().count());
}

/// False when not all of it could be copied: the target then ends where the disk did.
bool copied(const Fd& from, const Fd& to) {
    static std::array<char, 65536> piece;
    off_t at = 0;
    bool whole = true;
    for (;;) {
        const auto size = ::pread(from.n(), piece.data(), piece.size(), at);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        const auto written = ::pwrite(to.n(), piece.data(), static_cast<std::size_t>(size), at);
        if (written > 0) at += written;
        if (written < 0 && errno == EINTR) continue;
        if (written != size) {
            whole = false;
            break;
        }
    }
    return ::ftruncate(to.n(), at) == 0 && whole;
}

} // namespace

bool BoundedFile::write_all(std::string_view text) {
    while (!text.empty()) {
        const auto size = ::write(log_.n(), text.data(), text.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            if (lost_ == 0) why_ = errno;
            lost_ += text.size();
            torn_ = true;
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}

bool BoundedFile::rotate(std::uint64_t size) {
    for (std::size_t i = backups_.size(); i > 0; --i) {
        const auto& from = i == 1 ? log_ : backups_[i - 2];
        if (!copied(from, backups_[i - 1]) && i == 1) {
            if (lost_ == 0) why_ = ENOSPC;
            lost_ += size; // at most: what the newest backup has no room for
        }
    }
    return ::ftruncate(log_.n(), 0) == 0;
}

void BoundedFile::append(std::string_view text) {
    struct stat found{};
    const auto size =
        ::fstat(log_.n(), &found) == 0 && found.st_size > 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
    if (size > 0 && size + text.size() > max_size_ && !rotate(size)) {
        if (lost_ == 0) why_ = errno;
        lost_ += text.size(); // bounded is bounded
        return;
    }
    if (lost_ > 0) {
        const auto said = fmt::format("{}{}: cloister-logd: {} bytes were lost: {}\n", torn_ ? "\n" : "",
                                      stamp(), lost_, std::strerror(why_));
        const auto before = lost_;
        if (!write_all(said)) {
            lost_ = before + text.size(); // the notice is no loss
            return;
        }
        lost_ = 0;
        torn_ = false;
    }
    (void)write_all(text); // counted where it fails
}

} // namespace cloister::logd
