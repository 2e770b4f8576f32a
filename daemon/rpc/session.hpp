/// One client: what it may do now, its calls in progress, its streams and its subscriptions. Reactor thread
/// only. Source: facts/protocol.md 3 to 7.
#pragma once

#include "daemon/acl/policy.hpp"
#include "daemon/forward/forwarder.hpp"
#include "daemon/rpc/streams.hpp"
#include "daemon/rpc/table.hpp"
#include "daemon/rpc/wire.hpp"
#include "driver/driver.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cloister::rpc {

/// What every session of a daemon shares.
struct SessionSetup {
    // All of these outlive the sessions.
    Driver* driver = nullptr; ///< only handed on to operations
    EventHub* events = nullptr;
    Gate* gate = nullptr;
    const Table* table = nullptr;
    std::shared_ptr<const acl::Policy> policy{};                ///< null: everybody may do everything
    std::shared_ptr<const forward::Neighbourhood> neighbours{}; ///< null: nothing is forwarded
    std::function<void(std::uint64_t connection)> forget{};     ///< told when a connection has ended
    unsigned max_requests = 5;                                  ///< calls in progress at once; more wait
    std::chrono::seconds keepalive{5};   ///< between pings; not positive: none are sent
    unsigned keepalive_count = 5;        ///< unanswered pings before a client is given up
    std::size_t max_unread = 64'000'000; ///< bytes of events that a client may leave unread
};

class Session : public std::enable_shared_from_this<Session> {
public:
    /// `gone` comes once, when the connection has ended and its streams and subscriptions are released.
    Session(boost::asio::any_io_executor on, SessionSetup setup, Fd socket, Caller caller, std::uint64_t id);
    ~Session();
    void start(std::function<void()> gone);
    void close(std::string why);
    std::uint64_t id() const { return id_; }
    bool read_only() const { return caller_.read_only; }
    /// Whether it may do more than authenticate.
    bool authenticated() const { return authenticated_; }
    bool idle() const { return in_flight_ == 0 && waiting_.empty(); }

private:
    friend struct OwnCalls; ///< the procedures about the connection itself (session_calls.cpp)

    struct Waiting {
        Frame frame{};
        std::vector<Fd> files{};
    };
    struct Subscription {
        std::int32_t callback = 0;
        bool legacy = false;
        EventFilter filter{};
        EventHub::Token token{};
    };

    void arrived(Frame frame, std::vector<Fd> files);
    void keepalive(const Header& header);
    void called(Frame frame, std::vector<Fd> files);
    void begin(Frame frame, std::vector<Fd> files);
    void next_waiting();
    std::optional<Error> refused(const Header& header) const;
    bool served(const Header& header) const;
    void forward(Frame frame, const call::Foreign& what);
    void authenticate(Header header);
    Task<void> run_own(Header header, Bytes body, acl::Route route);
    void become(Caller caller);
    Task<void> run(Header header, Call call, Bytes body, const Entry* entry, acl::Route route,
                   std::shared_ptr<ClientStream> stream, Gate::Pass pass);
    std::shared_ptr<ClientStream> new_stream(const Header& call, call::Stream direction);
    void stream_packet(Frame frame);
    void hold_back(bool on);

    void reply(const Header& call, const Result<Bytes>& result, std::vector<Fd> files = {});
    void send(const Header& header, std::span<const std::byte> body, std::vector<Fd> files = {},
              std::function<void()> written = {});

    Result<std::int32_t> subscribe(EventFilter filter, bool legacy);
    bool unsubscribe(std::int32_t callback, bool monitor);
    void happened(std::int32_t callback, bool legacy, const Event& what);
    Task<void> tell_visible();
    void too_much();
    void tell(std::int32_t callback, bool legacy, const Event& what);

    void start_pings();
    void ping_later();
    void ended(std::string why);

    boost::asio::any_io_executor on_;
    SessionSetup setup_;
    std::shared_ptr<Wire> wire_;
    Caller caller_;
    std::shared_ptr<const Rights> rights_{}; ///< of `caller_`
    bool authenticated_ = false, authenticating_ = false;
    std::uint64_t id_;
    std::function<void()> gone_{};
    std::optional<std::string> uri_{}; ///< absent: not opened
    unsigned in_flight_ = 0;
    std::deque<Waiting> waiting_{}; ///< calls over the limit
    std::size_t waiting_bytes_ = 0;
    unsigned held_back_ = 0; ///< reasons not to read
    bool full_ = false;      ///< one of them: too many calls wait
    std::map<StreamKey, std::shared_ptr<ClientStream>> streams_{};
    std::shared_ptr<forward::Forwarder> forwarder_{}; ///< null: nothing has been forwarded yet
    std::vector<Subscription> subscriptions_{};
    std::int32_t last_callback_ = 0;
    struct Unseen {
        std::int32_t callback = 0;
        bool legacy = false;
        Event what{};
    };
    std::deque<Unseen> unseen_{}; ///< events whose domain the caller may perhaps not see: being asked
    bool asking_ = false;
    boost::asio::steady_timer ping_;
    std::chrono::steady_clock::time_point heard_{};
    unsigned unanswered_ = 0;
    bool pinging_ = false, closing_ = false;
};

/// A procedure about the connection itself, answered at once. Null when the driver serves that number.
using OwnCall = Result<Bytes> (*)(Session& session, std::span<const std::byte> body, acl::Route route);
OwnCall own_call(std::uint32_t program, std::int32_t number);
/// The numbers that own_call serves, sorted.
std::vector<std::int32_t> own_numbers(std::uint32_t program);
/// Whether it may be called by a client that has not authenticated yet.
bool before_authentication(std::uint32_t program, std::int32_t number);
/// Whether it may be called before CONNECT_OPEN.
bool before_open(std::uint32_t program, std::int32_t number);

} // namespace cloister::rpc
