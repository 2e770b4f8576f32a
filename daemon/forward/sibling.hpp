/// One of libvirt's other daemons, spoken to as its client: one connection, opened for one caller. Reactor
/// thread only. Source: facts/protocol.md 3 and 13.
#pragma once

#include "conf/call/foreign.hpp"
#include "daemon/rpc/wire.hpp"
#include "driver/op/call.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace cloister::forward {

/// Where the daemon of a family listens, the likeliest first: its own socket, then that of a libvirtd which
/// serves everything.
std::vector<std::string> socket_paths(call::Family family, const std::string& folder = "/run/libvirt");
/// "network:///system"
std::string uri(call::Family family);

/// The socket of a family's daemon, connected: the first of `paths` that is there and not our own (one of
/// `ours`, or answered by this process).
/// Errors: no_support when nobody serves the family; system when its daemon cannot be reached.
Result<Fd> connect_to(const std::vector<std::string>& paths, const std::set<std::string>& ours);

class Sibling : public std::enable_shared_from_this<Sibling> {
public:
    using OnReply = std::function<void(Result<rpc::Frame> reply)>;
    struct Handlers {
        std::function<void(rpc::Frame)> message{}; ///< events
        std::function<void(rpc::Frame)> packet{};  ///< of streams
        std::function<void()> ended{};             ///< once, unless close() was called before
    };

    Sibling(boost::asio::any_io_executor on, Fd socket);
    /// AUTH_LIST, CONNECT_OPEN, CONNECT_SET_IDENTITY: from then on it serves `caller`, who may be read-only.
    /// Errors: what the daemon says, operation_timeout, operation_failed; auth_unavailable when it wants us
    /// to authenticate.
    Task<Result<>> open(call::Family family, Caller caller);
    void handle(Handlers handlers) { handlers_ = std::move(handlers); }

    /// Sends a call; the reply comes as it is, an error of the daemon's included. Gives the serial.
    /// Errors of the reply: operation_failed when the daemon ended before it answered.
    std::uint32_t send(std::int32_t procedure, rpc::Bytes body, OnReply on_reply);
    /// Sends a call and waits. Errors: also what the daemon says, operation_timeout.
    Task<Result<rpc::Bytes>> ask(std::int32_t procedure, rpc::Bytes body, std::chrono::milliseconds patience);
    /// A packet of a stream, of a serial that send() gave. `written`: it is out, more may follow.
    void packet(rpc::Header header, rpc::Bytes body, std::function<void()> written);

    /// Stops listening to the daemon, so that it waits, and goes on.
    void pause() { wire_->pause(); }
    void resume() { wire_->resume(); }
    std::size_t queued() const { return wire_->queued(); }
    bool up() const { return wire_->open(); }
    void close();

private:
    void start();
    void arrived(rpc::Frame frame);
    void ended();

    boost::asio::any_io_executor on_;
    std::shared_ptr<rpc::Wire> wire_;
    std::uint32_t last_serial_ = 0;
    std::map<std::uint32_t, OnReply> waiting_{};
    Handlers handlers_{};
    bool started_ = false;
};

} // namespace cloister::forward
