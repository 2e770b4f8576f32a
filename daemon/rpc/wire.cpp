#include "daemon/rpc/wire.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>

namespace cloister::rpc {
namespace {

/// A sleeping processor takes longer to wake up than a call takes: whoever asks again within this time is
/// waited for awake, once, and is not when it did not come. It is the most that anybody else waits longer for
/// their answer.
constexpr std::chrono::microseconds at_once{50};

std::string reason(int error) { return std::generic_category().message(error); }

} // namespace

Wire::Wire(boost::asio::any_io_executor on, Fd socket) : socket_(on, socket.release()) {}

void Wire::start(OnFrame frame, OnClosed closed) {
    on_frame_ = std::move(frame);
    on_closed_ = std::move(closed);
    wait_readable();
}

void Wire::wait_readable() {
    if (reading_ || paused_ || finishing_ || !open()) return;
    reading_ = true;
    socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                           self->reading_ = false;
                           if (!error && self->open()) self->read_some();
                       });
}

void Wire::read_some() {
    std::array<std::byte, 65'536> buffer;
    // Room for one more than allowed, so that too many are noticed and not lost.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * (max_files + 1))> control;
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto got = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) return wait_readable();
        return close(reason(errno));
    }
    if (got == 0) return close("the peer has closed it");
    in_a_hurry_ = std::chrono::steady_clock::now() - answered_ < 2 * at_once;
    if (!take_descriptors(&message)) return close("more descriptors than messages may have");
    framer_.feed(std::span(buffer).first(static_cast<std::size_t>(got)));
    hand_out();
    wait_readable();
}

bool Wire::take_descriptors(void* raw) {
    auto& message = *static_cast<msghdr*>(raw);
    for (auto* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        const auto count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
            arrived_.emplace_back(descriptor);
        }
    }
    return arrived_.size() <= max_files && (message.msg_flags & MSG_CTRUNC) == 0;
}

void Wire::hand_out() {
    if (handing_out_) return; // a handler resumed reading: the loop below goes on
    handing_out_ = true;
    const auto alive = shared_from_this();
    while (open() && !paused_ && !finishing_) {
        auto next = framer_.next();
        if (!next) {
            close(full_text(next.error()));
            break;
        }
        if (!*next) break;
        auto& frame = **next;
        if (arrived_.size() < frame.files) {
            close("a message without the descriptors it announced");
            break;
        }
        std::vector<Fd> files;
        for (std::uint32_t i = 0; i < frame.files; ++i) {
            files.push_back(std::move(arrived_.front()));
            arrived_.pop_front();
        }
        on_frame_(std::move(frame), std::move(files));
    }
    handing_out_ = false;
}

void Wire::pause() { paused_ = true; }

void Wire::resume() {
    if (!paused_) return;
    paused_ = false;
    hand_out();
    wait_readable();
}

void Wire::send(Bytes bytes, std::vector<Fd> files, std::function<void()> written) {
    if (!open()) return;
    queued_ += bytes.size();
    outgoing_.push_back(
        {.bytes = std::move(bytes), .files = std::move(files), .written = std::move(written)});
    if (!writing_) flush();
    if (outgoing_.empty()) linger();
}

/// Only a client that asks one question after the other, and waits for each answer, is waited for.
void Wire::linger() {
    answered_ = std::chrono::steady_clock::now();
    if (!std::exchange(in_a_hurry_, false) || !open()) return;
    pollfd next{socket_.native_handle(), POLLIN, 0};
    while (::poll(&next, 1, 0) == 0 && std::chrono::steady_clock::now() - answered_ < at_once) {
    }
}

void Wire::flush() {
    const auto alive = shared_from_this();
    while (open() && !outgoing_.empty()) {
        if (!send_front()) return;
        auto done = std::move(outgoing_.front().written);
        outgoing_.pop_front();
        if (done) done();
    }
    if (open() && finishing_) close("finished");
}

bool Wire::send_front() {
    auto& front = outgoing_.front();
    while (front.sent < front.bytes.size()) {
        const auto n = ::send(socket_.native_handle(), front.bytes.data() + front.sent,
                              front.bytes.size() - front.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            front.sent += static_cast<std::size_t>(n);
            queued_ -= static_cast<std::size_t>(n);
        } else if (errno != EINTR) {
            if (errno == EAGAIN)
                wait_writable();
            else
                close(reason(errno));
            return false;
        }
    }
    for (; front.files_sent < front.files.size(); ++front.files_sent) {
        char zero = 0;
        iovec part{&zero, 1};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        const int descriptor = front.files[front.files_sent].n();
        std::memcpy(CMSG_DATA(head), &descriptor, sizeof(int));
        if (::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) continue;
        if (errno == EAGAIN || errno == EINTR)
            wait_writable();
        else
            close(reason(errno));
        return false;
    }
    return true;
}

void Wire::wait_writable() {
    writing_ = true;
    socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                       [self = shared_from_this()](boost::system::error_code error) {
                           self->writing_ = false;
                           if (!error && self->open()) self->flush();
                       });
}

void Wire::finish() {
    finishing_ = true;
    if (!writing_ && outgoing_.empty()) close("finished");
}

void Wire::close(std::string why) {
    if (!open()) return;
    const auto alive = shared_from_this();
    boost::system::error_code ignored; // closing a socket cannot fail in a way that matters here
    socket_.close(ignored);
    outgoing_.clear();
    arrived_.clear();
    queued_ = 0;
    // The frame handler may be running: it is dropped with the last turn of the loop, not under its feet.
    const auto closed = std::exchange(on_closed_, {});
    if (closed) closed(std::move(why));
}

} // namespace cloister::rpc
