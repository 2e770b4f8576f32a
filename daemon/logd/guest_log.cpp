#include "daemon/logd/guest_log.hpp"

#include "conf/base/escaped.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/ioctl.h>
#include <unistd.h>

namespace cloister::logd {
namespace {

std::array<char, 65536> piece; // one for all: there is one thread

} // namespace

void GuestLog::write_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    file_.append(escaped_guest_line(line) + '\n');
}

void GuestLog::add(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto room = longest_line - pending_.size();
        if (end == std::string_view::npos ? bytes.size() <= room : end <= room) {
            if (end == std::string_view::npos) {
                pending_ += bytes;
                return;
            }
            pending_ += bytes.substr(0, end);
            bytes.remove_prefix(end + 1);
        } else {
            pending_ += bytes.substr(0, room);
            bytes.remove_prefix(room);
        }
        write_line(pending_);
        pending_.clear();
    }
}

bool GuestLog::take() {
    const auto size = ::read(pipe_.n(), piece.data(), piece.size());
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    add({piece.data(), static_cast<std::size_t>(size)});
    if (size == 0) flush();
    return size > 0;
}

void GuestLog::drain() {
    int waiting = 0;
    if (::ioctl(pipe_.n(), FIONREAD, &waiting) < 0) return;
    while (waiting > 0) { // not until it is empty: somebody may write faster than we read
        const auto most = std::min(piece.size(), static_cast<std::size_t>(waiting));
        const auto size = ::read(pipe_.n(), piece.data(), most);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        add({piece.data(), static_cast<std::size_t>(size)});
        waiting -= static_cast<int>(size);
    }
    flush();
}

void GuestLog::flush() {
    if (pending_.empty()) return;
    write_line(pending_);
    pending_.clear();
}

} // namespace cloister::logd
