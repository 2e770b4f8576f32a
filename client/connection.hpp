/// One blocking connection to the daemon: calls and replies, streams, events. Source: facts/protocol.md.
#pragma once

#include "conf/base/result.hpp"
#include "conf/call/procedure.hpp"
#include "conf/call/wire_types.hpp"
#include "daemon/rpc/frame.hpp"
#include "daemon/rpc/xdr.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace cloister::client {

/// Which program a procedure belongs to.
enum class Program { remote, qemu, own };

class Connection {
public:
    /// Connects to the socket and opens `uri`. Errors: no_connect when nobody listens; the daemon's own.
    static Result<Connection> open(const std::string& socket, const std::string& uri, bool read_only);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) = delete;
    ~Connection();

    /// One call of the procedure called `name` ("DOMAIN_CREATE"), and its answer. Events that arrive
    /// meanwhile are kept.
    template <class Out, class In>
    Result<Out> call(std::string_view name, const In& in, Program program = Program::remote) {
        const auto body = xdr::encode(in);
        if (!body) return std::unexpected(body.error());
        const auto reply = exchange(name, *body, program);
        if (!reply) return std::unexpected(reply.error());
        return xdr::decode<Out>(*reply);
    }
    template <class In>
    Result<> order(std::string_view name, const In& in, Program program = Program::remote) {
        const auto done = call<call::Nothing>(name, in, program);
        if (!done) return std::unexpected(done.error());
        return {};
    }

    /// The stream that the last call opened: bytes to the daemon; empty: finished.
    Result<> stream_send(std::span<const std::byte> bytes);
    Result<> stream_finish();
    /// The next bytes of that stream; nothing: it has ended.
    Result<std::optional<rpc::Bytes>> stream_receive();

    /// The next event, waiting at most that long; nothing: none came.
    Result<std::optional<rpc::Frame>> event(std::chrono::milliseconds patience);

    int descriptor() const { return fd_; }

private:
    explicit Connection(int fd) : fd_(fd) {}
    Result<rpc::Bytes> exchange(std::string_view name, std::span<const std::byte> body, Program program);
    Result<> send(const rpc::Header& header, std::span<const std::byte> body);
    /// The next frame that is not keepalive. `patience` absent: for ever.
    Result<std::optional<rpc::Frame>> receive(std::optional<std::chrono::milliseconds> patience);

    int fd_;
    std::uint32_t serial_ = 0;
    rpc::Header stream_{};
    rpc::Framer framer_{};
    std::deque<rpc::Frame> events_{}, stream_frames_{};
};

} // namespace cloister::client
