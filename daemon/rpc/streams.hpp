/// One stream of a connection: packets on the client's side, a Pipe on the driver's. Source:
/// facts/protocol.md 7.
#pragma once

#include "conf/call/procedure.hpp"
#include "daemon/rpc/frame.hpp"
#include "driver/op/call.hpp"

#include <boost/asio/steady_timer.hpp>
#include <compare>
#include <deque>
#include <functional>
#include <memory>

namespace cloister::rpc {

/// What tells streams of a connection apart: the call that opened them.
struct StreamKey {
    std::uint32_t program = 0;
    std::int32_t procedure = 0;
    std::uint32_t serial = 0;
    auto operator<=>(const StreamKey&) const = default;
};

/// Both sides keep it alive; reactor thread only.
class ClientStream : public std::enable_shared_from_this<ClientStream> {
public:
    /// How the stream reaches its connection.
    struct Ties {
        /// Sends one packet; `written` comes when it is in the kernel, never when the connection has ended.
        std::function<void(MessageStatus, Bytes, std::function<void()> written)> send{};
        std::function<void(bool)> hold_back{}; ///< true: the client sends faster than the driver takes
        std::function<void()> over{};          ///< nothing more will be sent; packets that arrive are stray
    };
    ClientStream(boost::asio::any_io_executor on, call::Stream direction);
    /// Once, before anything else.
    void tie(Ties ties) { ties_ = std::move(ties); }

    /// The driver's end. When its last owner lets go without a word, that is a finish.
    std::shared_ptr<Pipe> pipe();

    /// The reply to the opening call has been queued: packets may follow.
    void opened();
    void packet(MessageStatus status, Bytes body);
    /// A hole in a stream whose opening call did not ask for any.
    void hole();
    /// The connection has ended, or the opening call failed.
    void cut_off();

private:
    friend class PipeEnd;
    Task<Result<>> to_client(Bytes bytes);
    Task<Result<Bytes>> from_client();
    void finish(Result<> how);
    Task<void> change();
    void changed() { changed_.cancel(); }
    void answer(Result<> how);
    void end();

    boost::asio::steady_timer changed_; ///< never runs out; cancelled when something has changed
    call::Stream direction_;
    Ties ties_{};
    std::deque<Bytes> inbox_{};
    std::size_t inbox_bytes_ = 0;
    std::optional<Result<>> driver_done_{};
    bool open_ = false, client_done_ = false, over_ = false, held_back_ = false;
};

} // namespace cloister::rpc
