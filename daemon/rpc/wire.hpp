/// One socket: frames in, frames out, with their descriptors. Knows nothing of what they mean. Reactor thread
/// only.
#pragma once

#include "daemon/rpc/frame.hpp"
#include "security/kernel/fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cloister::rpc {

class Wire : public std::enable_shared_from_this<Wire> {
public:
    using OnFrame = std::function<void(Frame, std::vector<Fd>)>;
    using OnClosed = std::function<void(std::string why)>;

    /// Takes the connected socket over.
    Wire(boost::asio::any_io_executor on, Fd socket);
    /// Begins to read. `closed` comes once, also after close(); then both handlers are dropped.
    void start(OnFrame frame, OnClosed closed);

    /// Stops reading, so that the peer waits, and goes on. Frames that have arrived are kept.
    void pause();
    void resume();

    /// Sends in the order of the calls: the bytes, then each descriptor with a zero byte of its own (a client
    /// that reads the message with read() would lose descriptors that come with it). `written` is called when
    /// all of it is in the kernel; never, when the connection ends before.
    void send(Bytes bytes, std::vector<Fd> files = {}, std::function<void()> written = {});
    /// Bytes that the peer has not taken yet.
    std::size_t queued() const { return queued_; }

    /// Closes once everything queued has been written; reads nothing any more.
    void finish();
    void close(std::string why);
    bool open() const { return socket_.is_open(); }

private:
    struct Outgoing {
        Bytes bytes{};
        std::size_t sent = 0;
        std::vector<Fd> files{};
        std::size_t files_sent = 0;
        std::function<void()> written{};
    };
    void wait_readable();
    void read_some();
    void hand_out();
    bool take_descriptors(void* message); ///< false: more than the protocol allows
    void flush();
    bool send_front();
    void wait_writable();
    void linger();

    boost::asio::posix::stream_descriptor socket_;
    Framer framer_{};
    std::deque<Fd> arrived_{}; ///< descriptors whose message is not complete yet
    std::deque<Outgoing> outgoing_{};
    std::size_t queued_ = 0;
    OnFrame on_frame_{};
    OnClosed on_closed_{};
    std::chrono::steady_clock::time_point answered_{}; ///< when the peer had its last answer
    bool in_a_hurry_ = false;                          ///< its last question followed an answer at once
    bool paused_ = false, reading_ = false, writing_ = false, handing_out_ = false, finishing_ = false;
};

} // namespace cloister::rpc
