/// The calls of one client that libvirt's other daemons serve, relayed: payloads as they are, serials and
/// callback ids translated, streams with flow control both ways. Each daemon is connected to when its first
/// call comes, as this client. Reactor thread only. See ADR 0016.
#pragma once

#include "daemon/forward/sibling.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cloister::forward {

/// Where the others are.
struct Neighbourhood {
    std::string folder = "/run/libvirt"; ///< of their sockets
    std::set<std::string> ours{};        ///< socket files that are this daemon's
};

class Forwarder : public std::enable_shared_from_this<Forwarder> {
public:
    /// What it does to the client. Not called after close().
    struct Ties {
        /// A frame; `written` when it is in the kernel.
        std::function<void(rpc::Header header, rpc::Bytes body, std::function<void()> written)> send{};
        std::function<void(rpc::Header call, Error why)> refuse{};
        std::function<void()> done{};                ///< a call has been answered
        std::function<void(bool on)> hold_back{};    ///< whether to leave the client's bytes unread
        std::function<std::size_t()> unread{};       ///< bytes that the client has not taken yet
        std::function<std::int32_t()> callback_id{}; ///< one that is free
        std::function<void()> too_much{};            ///< the client does not read its events
    };
    Forwarder(boost::asio::any_io_executor on, std::shared_ptr<const Neighbourhood> where, Caller caller,
              Ties ties, std::size_t max_unread);

    void called(rpc::Frame frame, const call::Foreign& what);
    /// False: it belongs to no stream of ours.
    bool stream_packet(rpc::Frame& frame);
    void close();

private:
    using Key = std::pair<std::int32_t, std::uint32_t>; ///< procedure and serial
    struct Waiting {
        rpc::Frame frame{};
        const call::Foreign* what = nullptr;
    };
    struct Door {
        std::shared_ptr<Sibling> sibling{};
        bool opening = false;
        std::vector<Waiting> waiting{}; ///< calls that came meanwhile
    };
    struct Stream {
        std::shared_ptr<Sibling> sibling{};
        std::uint32_t serial = 0; ///< towards the sibling
        rpc::Header call{};       ///< of the client
    };
    struct Callback {
        std::shared_ptr<Sibling> sibling{};
        std::int32_t theirs = 0;
        call::Family family = call::Family::network;
    };

    Task<void> open(call::Family family);
    void opened(call::Family family, Result<std::shared_ptr<Sibling>> sibling);
    void relay(const std::shared_ptr<Sibling>& sibling, Waiting call);
    void answered(const std::shared_ptr<Sibling>& sibling, std::uint32_t serial, const rpc::Header& call,
                  const call::Foreign& what, Result<rpc::Frame> reply);
    void event(const Sibling* from, rpc::Frame frame);
    void packet(const Sibling* from, rpc::Frame frame);
    void lost(const std::shared_ptr<Sibling>& sibling, call::Family family);
    void refuse(const rpc::Header& call, const call::Foreign& what, Error why);

    boost::asio::any_io_executor on_;
    std::shared_ptr<const Neighbourhood> where_;
    Caller caller_;
    Ties ties_;
    std::size_t max_unread_;
    std::map<call::Family, Door> doors_{};
    std::map<Key, Stream> streams_{}; ///< by what the client calls them
    std::map<std::int32_t, Callback> callbacks_{};
    std::set<const Sibling*> full_{};                    ///< the client is held back until these have read
    std::map<const Sibling*, std::size_t> on_the_way_{}; ///< packets of streams that are not out yet
    std::size_t to_client_ = 0;                          ///< likewise
    bool closed_ = false;
};

} // namespace cloister::forward
