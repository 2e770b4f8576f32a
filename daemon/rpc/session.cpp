#include "daemon/rpc/session.hpp"

#include "conf/base/tr.hpp"
#include "conf/call/auth.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "daemon/rpc/events.hpp"
#include "daemon/rpc/xdr.hpp"
#include "driver/driver.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>

namespace cloister::rpc {
namespace {

/// Calls that wait behind the limit before the socket is no longer read.
constexpr std::size_t most_waiting = 64, most_waiting_bytes = 1'048'576;
constexpr std::uint32_t event_serial = 1; // measured; keepalive has 0
constexpr std::int32_t auth_polkit = 70;
/// Events of one client that wait for the policy.
constexpr std::size_t most_unseen = 10'000;

bool known_program(std::uint32_t program, std::uint32_t version) {
    return version == 1 && (program == call::remote_program || program == call::qemu_program ||
                            program == call::cloister_program);
}

/// Errors that clients cause every day are no news to an administrator.
void log_once(const Error& error, const call::Procedure& procedure) {
    const bool ours =
        error.code == Code::internal || error.code == Code::no_memory || error.code == Code::system;
    std::string line = std::string(procedure.name) + ": " + full_text(error);
    for (const auto& context : error.context) line += " (" + context + ")";
    log(ours ? LogLevel::error : LogLevel::info, line);
}

} // namespace

Session::Session(boost::asio::any_io_executor on, SessionSetup setup, Fd socket, Caller caller,
                 std::uint64_t id)
    : on_(on), setup_(std::move(setup)), wire_(std::make_shared<Wire>(on, std::move(socket))), id_(id),
      ping_(on) {
    become(caller);
    authenticated_ = !setup_.policy || !acl::must_authenticate(*setup_.policy, caller_);
}

void Session::become(Caller caller) {
    caller_ = caller;
    rights_ = acl::rights(setup_.policy, caller_);
    if (forwarder_) forwarder_->close(); // it speaks for who this was
    forwarder_.reset();
}

Session::~Session() {
    if (forwarder_) forwarder_->close(); // it knows this session by its address
}

void Session::start(std::function<void()> gone) {
    gone_ = std::move(gone);
    // The wire outlives its session only as long as its last handler: it must not own it.
    wire_->start(
        [weak = weak_from_this()](Frame frame, std::vector<Fd> files) {
            if (const auto self = weak.lock()) self->arrived(std::move(frame), std::move(files));
        },
        [weak = weak_from_this()](std::string why) {
            if (const auto self = weak.lock()) self->ended(std::move(why));
        });
}

void Session::close(std::string why) { wire_->close(std::move(why)); }

void Session::ended(std::string why) {
    log(LogLevel::debug, "connection " + std::to_string(id_) + " has ended: " + why);
    ping_.cancel();
    pinging_ = false;
    subscriptions_.clear();
    unseen_.clear();
    waiting_.clear();
    const auto streams = std::exchange(streams_, {});
    for (const auto& [key, stream] : streams) stream->cut_off();
    if (forwarder_) forwarder_->close();
    if (setup_.forget) setup_.forget(id_);
    if (const auto gone = std::exchange(gone_, {})) gone();
}

void Session::arrived(Frame frame, std::vector<Fd> files) {
    if (pinging_) heard_ = std::chrono::steady_clock::now();
    unanswered_ = 0;
    if (frame.header.program == keepalive_program) return keepalive(frame.header);
    switch (frame.header.type) {
    case MessageType::call:
    case MessageType::call_with_files: return called(std::move(frame), std::move(files));
    case MessageType::stream:
    case MessageType::stream_hole: return stream_packet(std::move(frame));
    case MessageType::reply:
    case MessageType::reply_with_files:
    case MessageType::message: return; // a client has nothing to say in these: dropped, as the reference does
    }
}

void Session::keepalive(const Header& header) {
    if (header.type != MessageType::message || header.procedure != keepalive_ping) return;
    send({.program = keepalive_program, .procedure = keepalive_pong, .type = MessageType::message}, {});
}

void Session::start_pings() {
    if (pinging_ || setup_.keepalive.count() <= 0) return;
    pinging_ = true;
    heard_ = std::chrono::steady_clock::now();
    ping_later();
}

void Session::ping_later() {
    ping_.expires_at(heard_ + setup_.keepalive * (unanswered_ + 1));
    ping_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        const auto self = weak.lock();
        if (error || !self || !self->pinging_) return;
        const auto silent = std::chrono::steady_clock::now() - self->heard_;
        if (silent >= self->setup_.keepalive * (self->unanswered_ + 1)) {
            if (self->unanswered_ >= self->setup_.keepalive_count)
                return self->close("the client does not answer keepalive");
            ++self->unanswered_;
            self->send(
                {.program = keepalive_program, .procedure = keepalive_ping, .type = MessageType::message},
                {});
        }
        self->ping_later();
    });
}

bool Session::served(const Header& header) const {
    if (!call::find_procedure(header.program, header.procedure)) {
        const auto* foreign =
            header.program == call::remote_program ? call::find_foreign(header.procedure) : nullptr;
        return setup_.neighbours && foreign && foreign->relay != call::Relay::event;
    }
    return own_call(header.program, header.procedure) || setup_.table->find(header.program, header.procedure);
}

std::optional<Error> Session::refused(const Header& header) const {
    if (!known_program(header.program, header.version))
        return rpc_error(tr("Cannot find program {0} version {1}", header.program, header.version));
    if (header.status != MessageStatus::ok)
        return rpc_error(tr("Unexpected message status {0}", static_cast<std::int32_t>(header.status)));
    if (!served(header)) return unknown_procedure(header.procedure);
    if (!authenticated_ && !before_authentication(header.program, header.procedure))
        return rpc_error(tr("authentication required"));
    if (!uri_ && !before_open(header.program, header.procedure))
        return rpc_error(tr("hypervisor connection not open"), Code::internal);
    return std::nullopt;
}

void Session::called(Frame frame, std::vector<Fd> files) {
    if (in_flight_ < setup_.max_requests && waiting_.empty())
        return begin(std::move(frame), std::move(files));
    waiting_bytes_ += frame.body.size();
    waiting_.push_back({std::move(frame), std::move(files)});
    if (!full_ && (waiting_.size() >= most_waiting || waiting_bytes_ >= most_waiting_bytes)) {
        full_ = true;
        hold_back(true);
    }
}

void Session::next_waiting() {
    while (!waiting_.empty() && in_flight_ < setup_.max_requests && wire_->open()) {
        auto next = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= next.frame.body.size();
        begin(std::move(next.frame), std::move(next.files));
    }
    if (full_ && waiting_.size() < most_waiting / 2 && waiting_bytes_ < most_waiting_bytes / 2) {
        full_ = false;
        hold_back(false);
    }
}

void Session::begin(Frame frame, std::vector<Fd> files) {
    const auto& header = frame.header;
    if (auto error = refused(header)) return reply(header, std::unexpected(*std::move(error)));
    if (!call::find_procedure(header.program, header.procedure)) {
        const auto& what = *call::find_foreign(header.procedure);
        return forward(std::move(frame), what);
    }
    const acl::Route route{header.program, call::find_procedure(header.program, header.procedure)};
    if (header.program == call::remote_program && header.procedure == auth_polkit)
        return authenticate(header);
    if (const auto own = own_call(header.program, header.procedure)) {
        if (!rights_ || route.procedure->needs.empty()) return reply(header, own(*this, frame.body, route));
        ++in_flight_;
        boost::asio::co_spawn(
            on_,
            [self = shared_from_this(), header, body = std::move(frame.body), route]() mutable {
                return self->run_own(header, std::move(body), route);
            },
            boost::asio::detached);
        return;
    }

    auto pass = setup_.gate->enter();
    if (!pass) return reply(header, std::unexpected(std::move(pass).error()));
    Call call{.driver = setup_.driver, .caller = caller_, .connection = id_, .rights = rights_};
    std::shared_ptr<ClientStream> stream;
    if (route.procedure->stream != call::Stream::none) {
        stream = new_stream(header, route.procedure->stream);
        call.stream = stream->pipe();
    }
    if (!files.empty()) call.files_in = std::make_shared<std::vector<Fd>>(std::move(files));
    call.files_out = std::make_shared<std::vector<Fd>>();
    ++in_flight_;
    const auto* entry = setup_.table->find(header.program, header.procedure);
    boost::asio::co_spawn(
        on_,
        [self = shared_from_this(), header, call = std::move(call), body = std::move(frame.body), entry,
         route, stream, pass = *std::move(pass)]() mutable {
            return self->run(header, std::move(call), std::move(body), entry, route, std::move(stream),
                             std::move(pass));
        },
        boost::asio::detached);
}

void Session::forward(Frame frame, const call::Foreign& what) {
    ++in_flight_;
    if (!forwarder_) {
        forward::Forwarder::Ties ties;
        ties.send = [this](Header header, Bytes body, std::function<void()> written) {
            send(header, body, {}, std::move(written));
        };
        ties.refuse = [this](Header call, Error why) { reply(call, std::unexpected(std::move(why))); };
        ties.done = [this] {
            --in_flight_;
            // Not at once: the next call may be one that is refused at once, and so on.
            boost::asio::post(on_, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->next_waiting();
            });
        };
        ties.hold_back = [this](bool on) { hold_back(on); };
        ties.unread = [this] { return wire_->queued(); };
        ties.callback_id = [this] { return last_callback_++; };
        ties.too_much = [this] { too_much(); };
        forwarder_ = std::make_shared<forward::Forwarder>(on_, setup_.neighbours, caller_, std::move(ties),
                                                          setup_.max_unread);
    }
    forwarder_->called(std::move(frame), what);
}

/// A person may be asked, which takes as long as it takes: neither the shutdown nor this connection waits.
void Session::authenticate(Header header) {
    if (authenticated_ || authenticating_)
        return reply(header, std::unexpected(rpc_error(tr("authentication failed"), Code::auth_failed)));
    authenticating_ = true;
    boost::asio::co_spawn(on_, acl::authenticated(setup_.policy, caller_),
                          [weak = weak_from_this(), header](std::exception_ptr bug, Result<> allowed) {
                              const auto self = weak.lock();
                              if (!self) return;
                              self->authenticating_ = false;
                              if (bug) allowed = fail(Code::internal, tr("authentication failed"));
                              if (!allowed) {
                                  log(LogLevel::warning,
                                      "uid " + std::to_string(self->caller_.uid) +
                                          " was not let in: " + full_text(allowed.error()));
                                  return self->reply(header, std::unexpected(std::move(allowed).error()));
                              }
                              self->authenticated_ = true;
                              self->reply(header, xdr::encode(call::AuthPolkitOut{.complete = 1}));
                          });
}

/// As an own call of somebody about whom the policy has to be asked first.
Task<void> Session::run_own(Header header, Bytes body, acl::Route route) {
    const auto self = shared_from_this();
    Call call{.driver = setup_.driver, .caller = caller_, .rights = rights_};
    Mentioned no_domain;
    acl::Conditions always; // no own call has a permission that depends on its arguments
    auto allowed = co_await acl::admitted(std::move(call), route, always, std::move(no_domain));
    Result<Bytes> result;
    if (allowed)
        result = own_call(header.program, header.procedure)(*this, body, route);
    else
        result = std::unexpected(std::move(allowed).error());
    reply(header, result);
    --in_flight_;
    next_waiting();
}

Task<void> Session::run(Header header, Call call, Bytes body, const Entry* entry, acl::Route route,
                        std::shared_ptr<ClientStream> stream, [[maybe_unused]] Gate::Pass pass) {
    const auto self = shared_from_this();
    const auto files = call.files_out;
    Result<Bytes> result;
    try {
        result = co_await entry->serve(std::move(call), std::move(body), route);
    } catch (const std::exception& bug) {
        result = fail(Code::internal, bug.what());
    }
    if (!result) log_once(result.error(), *route.procedure);
    reply(header, result, result ? std::move(*files) : std::vector<Fd>());
    if (stream) {
        if (result)
            stream->opened();
        else
            stream->cut_off();
    }
    --in_flight_;
    next_waiting();
}

void Session::reply(const Header& call, const Result<Bytes>& result, std::vector<Fd> files) {
    Header header{.program = call.program,
                  .version = call.version,
                  .procedure = call.procedure,
                  .type = files.empty() ? MessageType::reply : MessageType::reply_with_files,
                  .serial = call.serial};
    if (result && result->size() <= max_body - 4) {
        send(header, *result, std::move(files));
        if (closing_) wire_->finish();
        return;
    }
    header.type = MessageType::reply;
    header.status = MessageStatus::error;
    const auto error = result
                           ? rpc_error(tr("the answer of {0} bytes is longer than a message", result->size()))
                           : result.error();
    send(header, printed(error));
}

void Session::send(const Header& header, std::span<const std::byte> body, std::vector<Fd> files,
                   std::function<void()> written) {
    const auto count = static_cast<std::uint32_t>(files.size());
    wire_->send(printed(header, body, count), std::move(files), std::move(written));
}

std::shared_ptr<ClientStream> Session::new_stream(const Header& opening, call::Stream direction) {
    const StreamKey key{opening.program, opening.procedure, opening.serial};
    auto header = opening;
    header.type = MessageType::stream;
    ClientStream::Ties ties;
    ties.send = [weak = weak_from_this(), header](MessageStatus status, Bytes body,
                                                  std::function<void()> written) {
        const auto self = weak.lock();
        if (!self) return;
        auto with_status = header;
        with_status.status = status;
        self->send(with_status, body, {}, std::move(written));
    };
    ties.hold_back = [weak = weak_from_this()](bool on) {
        if (const auto self = weak.lock()) self->hold_back(on);
    };
    auto stream = std::make_shared<ClientStream>(on_, direction);
    ties.over = [weak = weak_from_this(), key, raw = stream.get()] {
        const auto self = weak.lock();
        if (!self) return;
        const auto found = self->streams_.find(key);
        if (found != self->streams_.end() && found->second.get() == raw) self->streams_.erase(found);
    };
    stream->tie(std::move(ties));
    // A client that uses a serial twice loses the older stream, nobody else's.
    if (const auto old = streams_.find(key); old != streams_.end()) {
        const auto older = old->second;
        older->cut_off();
    }
    streams_[key] = stream;
    return stream;
}

void Session::stream_packet(Frame frame) {
    if (forwarder_ && forwarder_->stream_packet(frame)) return;
    const auto& header = frame.header;
    const auto found = streams_.find({header.program, header.procedure, header.serial});
    if (found == streams_.end()) return; // stray packets are normal after a stream has ended
    const auto stream = found->second;
    if (header.type == MessageType::stream_hole) return stream->hole();
    stream->packet(header.status, std::move(frame.body));
}

void Session::hold_back(bool on) {
    held_back_ += on ? 1u : -1u;
    if (held_back_ == 1 && on) wire_->pause();
    if (held_back_ == 0) wire_->resume();
}

Result<std::int32_t> Session::subscribe(EventFilter filter, bool legacy) {
    const auto same = [&](const Subscription& s) { return s.filter == filter; };
    if (std::ranges::any_of(subscriptions_, same))
        return std::unexpected(Error{.code = Code::invalid_arg,
                                     .message = tr("event callback already tracked"),
                                     .domain = ErrorDomain::none});
    const auto callback = last_callback_++;
    auto token = setup_.events->subscribe(
        filter, [this, callback, legacy](const Event& what) { happened(callback, legacy, what); });
    subscriptions_.push_back(
        {.callback = callback, .legacy = legacy, .filter = std::move(filter), .token = std::move(token)});
    return callback;
}

bool Session::unsubscribe(std::int32_t callback, bool monitor) {
    return std::erase_if(subscriptions_, [&](const Subscription& s) {
               return !s.legacy && s.callback == callback && (s.filter.number < 0) == monitor;
           }) > 0;
}

void Session::happened(std::int32_t callback, bool legacy, const Event& what) {
    if (!rights_ || !setup_.policy->fine_grained) return tell(callback, legacy, what);
    if (unseen_.size() >= most_unseen) return; // nobody answers: what may be seen is not known
    unseen_.push_back({callback, legacy, what});
    if (std::exchange(asking_, true)) return;
    boost::asio::co_spawn(
        on_, [self = shared_from_this()] { return self->tell_visible(); }, boost::asio::detached);
}

/// In order, those whose domain the caller may see.
Task<void> Session::tell_visible() {
    const auto self = shared_from_this();
    constexpr Permission see{"domain", "getattr"};
    while (!unseen_.empty()) {
        const auto next = std::move(unseen_.front());
        unseen_.pop_front();
        const auto& domain = domain_of(next.what);
        DomainIdentity about;
        about.name = domain.name;
        about.uuid = domain.uuid;
        const auto rights = rights_;
        if (rights) {
            const auto allowed = co_await rights->may(see, std::move(about));
            if (!allowed) continue;
        }
        const bool wanted = std::ranges::any_of(
            subscriptions_, [&](const Subscription& s) { return s.callback == next.callback; });
        if (wanted) tell(next.callback, next.legacy, next.what);
    }
    asking_ = false;
}

void Session::too_much() {
    log(LogLevel::warning, "connection " + std::to_string(id_) + " does not read its events: closing it");
    // Not here: this is the middle of telling everybody.
    boost::asio::post(on_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->close("its events are not read");
    });
}

void Session::tell(std::int32_t callback, bool legacy, const Event& what) {
    const auto message = event_message(what, legacy ? std::optional<std::int32_t>() : callback);
    if (!message) return;
    if (wire_->queued() > setup_.max_unread) return too_much();
    send({.program = message->program,
          .procedure = message->procedure,
          .type = MessageType::message,
          .serial = event_serial},
         message->body);
}

} // namespace cloister::rpc
