/// The client's end of a socket pair, and a session on the other: what tests of sessions begin with.
#pragma once

#include "conf/call/common.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "daemon/rpc/serve.hpp"
#include "daemon/rpc/session.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace cloister::rpc {

/// Runs the reactor while it waits for its answers: everything happens in one thread.
class Peer {
public:
    Peer(boost::asio::io_context& reactor, SessionSetup setup, Caller caller = {}) : reactor_(reactor) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        ours_ = Fd(ends[0]);
        session_ =
            std::make_shared<Session>(reactor.get_executor(), std::move(setup), Fd(ends[1]), caller, 7);
        session_->start([this] { gone_ = true; });
    }
    ~Peer() {
        if (!gone_) session_->close("the test ends");
        reactor_.restart();
        reactor_.poll();
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void raw(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const auto n = ::send(ours_.n(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
            if (n < 0 && errno != EAGAIN) return;
            turn();
        }
    }
    void file(int descriptor) {
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
        std::memcpy(CMSG_DATA(head), &descriptor, sizeof(int));
        EXPECT_EQ(::sendmsg(ours_.n(), &message, MSG_NOSIGNAL), 1);
    }
    void send(Header header, std::span<const std::byte> body = {}, std::uint32_t files = 0) {
        raw(printed(header, body, files));
    }
    /// Sends a call of the remote program and gives its serial.
    template <class In = call::Nothing> std::uint32_t call(std::int32_t procedure, const In& in = {}) {
        send({.program = call::remote_program, .procedure = procedure, .serial = ++serial_},
             xdr::encode(in).value());
        return serial_;
    }
    /// The next frame; fails the test when none comes within five seconds or the connection ends.
    Frame next() {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (std::chrono::steady_clock::now() < deadline) {
            if (auto frame = framer_.next().value()) return *std::move(frame);
            if (ended_) break;
            turn();
            take();
        }
        ADD_FAILURE() << "no frame came";
        return {};
    }
    /// Whether nothing comes after everything that is due has been done.
    bool silent() {
        for (int i = 0; i < 20; ++i) turn(), take();
        return framer_.buffered() == 0;
    }
    bool closed() {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (!ended_ && std::chrono::steady_clock::now() < deadline) turn(), take();
        return ended_;
    }
    void turn() {
        reactor_.restart();
        reactor_.run_for(std::chrono::milliseconds(1));
    }
    /// The error of a frame that is an error.
    static WireError error(const Frame& frame) {
        EXPECT_EQ(frame.header.status, MessageStatus::error);
        return xdr::decode<WireError>(frame.body).value();
    }
    std::vector<Fd>& files() { return files_; }
    Session& session() { return *session_; }

private:
    void take() {
        std::array<std::byte, 65'536> buffer;
        alignas(cmsghdr) std::array<char, 256> control;
        iovec part{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto n = ::recvmsg(ours_.n(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n == 0 || (n < 0 && errno != EAGAIN)) ended_ = true;
        if (n <= 0) return;
        for (auto* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(head), sizeof(int));
            files_.emplace_back(descriptor);
        }
        framer_.feed(std::span(buffer).first(static_cast<std::size_t>(n)));
    }

    boost::asio::io_context& reactor_;
    Fd ours_{};
    std::shared_ptr<Session> session_{};
    Framer framer_{};
    std::vector<Fd> files_{};
    std::uint32_t serial_ = 0;
    bool ended_ = false, gone_ = false;
};

} // namespace cloister::rpc
