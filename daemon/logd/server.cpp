#include "daemon/logd/server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>

namespace cloister::logd {
namespace {

constexpr std::size_t most_daemons = 8; ///< one, and those that are just ending
constexpr int soon_ms = 500, first_ms = 30000;
constexpr std::size_t most_descriptors = 2 + most_backups;

bool is(const Fd& file, mode_t type, int wanted, int mask) {
    struct stat found{};
    const int flags = ::fcntl(file.n(), F_GETFL);
    return ::fstat(file.n(), &found) == 0 && (found.st_mode & S_IFMT) == type && flags >= 0 &&
           (flags & mask) == wanted;
}

/// 0: the peer has gone. Descriptors that did not fit make errno EMFILE.
ssize_t receive(const Fd& from, Request& request, std::vector<Fd>& descriptors) {
    iovec bytes{&request, sizeof request};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_descriptors)> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = ::recvmsg(from.n(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size <= 0) return size;
    for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(part) + i * sizeof(int), sizeof number);
            descriptors.emplace_back(number);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        errno = EMFILE;
        return -1;
    }
    return size;
}

} // namespace

void Server::accept_one() {
    Fd daemon(::accept4(listening_.n(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!daemon) return;
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(daemon.n(), SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) return;
    if (who.uid != peer_ && who.uid != 0) return;
    greeted_ = true;
    daemons_.push_back(std::move(daemon));
}

int Server::opened(const Request& request, std::vector<Fd> descriptors) {
    if (request.backups > most_backups || descriptors.size() != 2 + request.backups ||
        request.max_size < 2 * longest_line)
        return EINVAL;
    // What is not as agreed could block us, or be truncated where it must not be.
    if (!is(descriptors[0], S_IFIFO, O_RDONLY | O_NONBLOCK, O_ACCMODE | O_NONBLOCK)) return EINVAL;
    if (!is(descriptors[1], S_IFREG, O_RDWR | O_APPEND, O_ACCMODE | O_APPEND)) return EINVAL;
    std::vector<Fd> backups;
    for (std::size_t i = 2; i < descriptors.size(); ++i) {
        if (!is(descriptors[i], S_IFREG, O_RDWR, O_ACCMODE | O_APPEND)) return EINVAL;
        backups.push_back(std::move(descriptors[i]));
    }
    guests_.emplace_back(std::string(request.name.data()), std::move(descriptors[0]),
                         BoundedFile(std::move(descriptors[1]), std::move(backups), request.max_size));
    return 0;
}

int Server::answered(const Request& request, std::vector<Fd> descriptors) {
    if (request.version != protocol) return EPROTONOSUPPORT;
    if (std::ranges::find(request.name, '\0') == request.name.end()) return EINVAL;
    switch (request.word) {
    case Word::open: return opened(request, std::move(descriptors));
    case Word::drain:
        for (auto& guest : guests_)
            if (guest.name() == request.name.data()) guest.drain();
        return 0;
    }
    return EINVAL;
}

/// False: it has gone, or does not speak our language.
bool Server::serve(const Fd& daemon) {
    Request request{};
    std::vector<Fd> descriptors;
    const auto size = receive(daemon, request, descriptors);
    if (size == 0) return false;
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    Answer answer{.error = size < 0 ? errno : EINVAL};
    if (size == sizeof request) answer.error = answered(request, std::move(descriptors));
    return ::sendto(daemon.n(), &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0) ==
           sizeof answer;
}

void Server::look_at_guests(const std::vector<int>& ready) {
    std::erase_if(guests_, [&](GuestLog& guest) {
        return std::ranges::binary_search(ready, guest.descriptor()) && !guest.take();
    });
}

void Server::run() {
    while (!greeted_ || !daemons_.empty() || !guests_.empty()) {
        std::vector<pollfd> wait{{listening_.n(), POLLIN, 0}};
        if (daemons_.size() >= most_daemons) wait[0].fd = -1;
        for (const auto& daemon : daemons_) wait.push_back({daemon.n(), POLLIN, 0});
        for (const auto& guest : guests_) wait.push_back({guest.descriptor(), POLLIN, 0});
        const bool pending = std::ranges::any_of(guests_, &GuestLog::has_pending);
        const int patience = pending ? soon_ms : greeted_ ? -1 : first_ms;
        const int count = ::poll(wait.data(), wait.size(), patience);
        if (count < 0 && errno != EINTR) return;
        if (count == 0) {
            if (!greeted_) return;                     // whoever started us is gone
            for (auto& guest : guests_) guest.flush(); // a prompt without an end is worth reading, too
        }
        if (count <= 0) continue;

        const auto daemons = daemons_.size();
        std::vector<int> ready;
        for (std::size_t i = 1 + daemons; i < wait.size(); ++i)
            if (wait[i].revents != 0) ready.push_back(wait[i].fd);
        std::ranges::sort(ready);
        look_at_guests(ready); // before requests: a new pipe may get the number of one that ended
        std::vector<int> gone;
        for (std::size_t i = 0; i < daemons; ++i)
            if (wait[1 + i].revents != 0 && !serve(daemons_[i])) gone.push_back(daemons_[i].n());
        std::erase_if(daemons_,
                      [&](const Fd& one) { return std::ranges::find(gone, one.n()) != gone.end(); });
        if (wait[0].revents != 0) accept_one();
    }
}

} // namespace cloister::logd
