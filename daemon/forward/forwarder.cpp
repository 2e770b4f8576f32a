#include "daemon/forward/forwarder.hpp"

#include "conf/base/tr.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace cloister::forward {
namespace {

constexpr std::uint32_t event_serial = 1;
/// Bytes of a stream on their way to one end before the other end waits.
constexpr std::size_t most_on_the_way = 1'048'576;

std::optional<std::int32_t> first_int(const rpc::Bytes& body) {
    if (body.size() < 4) return std::nullopt;
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) out = out << 8 | std::to_integer<std::uint32_t>(body[i]);
    return static_cast<std::int32_t>(out);
}

void set_first_int(rpc::Bytes& body, std::int32_t value) {
    const auto bits = static_cast<std::uint32_t>(value);
    for (std::size_t i = 0; i < 4; ++i) body[i] = static_cast<std::byte>(bits >> (24 - 8 * i) & 0xffu);
}

} // namespace

Forwarder::Forwarder(boost::asio::any_io_executor on, std::shared_ptr<const Neighbourhood> where,
                     Caller caller, Ties ties, std::size_t max_unread)
    : on_(on), where_(std::move(where)), caller_(caller), ties_(std::move(ties)), max_unread_(max_unread) {}

void Forwarder::called(rpc::Frame frame, const call::Foreign& what) {
    auto& door = doors_[what.family];
    if (door.sibling && door.sibling->up()) return relay(door.sibling, {std::move(frame), &what});
    door.waiting.push_back({std::move(frame), &what});
    if (std::exchange(door.opening, true)) return;
    boost::asio::co_spawn(
        on_, [self = shared_from_this(), family = what.family] { return self->open(family); },
        boost::asio::detached);
}

Task<void> Forwarder::open(call::Family family) {
    const auto self = shared_from_this();
    auto socket = connect_to(socket_paths(family, where_->folder), where_->ours);
    if (!socket) {
        opened(family, std::unexpected(std::move(socket).error()));
        co_return;
    }
    auto sibling = std::make_shared<Sibling>(on_, *std::move(socket));
    const auto ready = co_await sibling->open(family, caller_);
    if (closed_) {
        sibling->close();
        co_return;
    }
    if (!ready) {
        sibling->close();
        opened(family, std::unexpected(ready.error()));
        co_return;
    }
    opened(family, std::move(sibling));
}

void Forwarder::opened(call::Family family, Result<std::shared_ptr<Sibling>> sibling) {
    auto& door = doors_[family];
    door.opening = false;
    auto waiting = std::exchange(door.waiting, {});
    if (!sibling) {
        for (const auto& one : waiting) refuse(one.frame.header, *one.what, sibling.error());
        return;
    }
    door.sibling = *sibling;
    const auto* raw = sibling->get();
    door.sibling->handle({.message =
                              [weak = weak_from_this(), raw](rpc::Frame frame) {
                                  if (const auto self = weak.lock()) self->event(raw, std::move(frame));
                              },
                          .packet =
                              [weak = weak_from_this(), raw](rpc::Frame frame) {
                                  if (const auto self = weak.lock()) self->packet(raw, std::move(frame));
                              },
                          .ended =
                              [weak = weak_from_this(), gone = std::weak_ptr(door.sibling), family] {
                                  const auto self = weak.lock();
                                  const auto dead = gone.lock();
                                  if (self && dead) self->lost(dead, family);
                              }});
    const auto target = door.sibling;
    for (auto& one : waiting) relay(target, std::move(one));
}

void Forwarder::relay(const std::shared_ptr<Sibling>& sibling, Waiting call) {
    auto& [frame, what] = call;
    if (what->relay == call::Relay::unsubscribe) {
        const auto id = first_int(frame.body);
        const auto found = id ? callbacks_.find(*id) : callbacks_.end();
        if (found == callbacks_.end() || found->second.family != what->family)
            return refuse(frame.header, *what,
                          {.code = Code::internal,
                           .message = tr("event callback {0} not registered", id.value_or(-1)),
                           .domain = ErrorDomain::rpc});
        set_first_int(frame.body, found->second.theirs);
        callbacks_.erase(found);
    }
    // The serial is known only when the call is on its way, and an end of the daemon may come sooner.
    const auto serial = std::make_shared<std::uint32_t>(0);
    *serial = sibling->send(
        what->number, std::move(frame.body),
        [weak = weak_from_this(), sibling, serial, header = frame.header, what](Result<rpc::Frame> reply) {
            const auto self = weak.lock();
            if (self && !self->closed_) self->answered(sibling, *serial, header, *what, std::move(reply));
        });
}

void Forwarder::answered(const std::shared_ptr<Sibling>& sibling, std::uint32_t serial,
                         const rpc::Header& call, const call::Foreign& what, Result<rpc::Frame> reply) {
    if (!reply) return refuse(call, what, std::move(reply).error());
    auto header = reply->header;
    header.serial = call.serial;
    const bool good = header.status == rpc::MessageStatus::ok;
    if (good && what.relay == call::Relay::subscribe) {
        if (const auto theirs = first_int(reply->body)) {
            const auto ours = ties_.callback_id();
            callbacks_[ours] = {sibling, *theirs, what.family};
            set_first_int(reply->body, ours);
        }
    }
    if (good && what.stream != call::Stream::none)
        streams_[{call.procedure, call.serial}] = {.sibling = sibling, .serial = serial, .call = call};
    ties_.send(header, std::move(reply->body), {});
    if (!closed_) ties_.done(); // sending may have been the end of the client
}

void Forwarder::refuse(const rpc::Header& call, const call::Foreign& what, Error why) {
    if (why.code ==
        Code::no_support) // so that clients do without, as they do with every daemon of one driver
        why = rpc::unknown_procedure(what.number);
    if (!closed_) ties_.refuse(call, std::move(why));
    if (!closed_) ties_.done();
}

void Forwarder::event(const Sibling* from, rpc::Frame frame) {
    const auto* what = call::find_foreign(frame.header.procedure);
    const auto theirs = first_int(frame.body);
    if (closed_ || !what || what->relay != call::Relay::event || !theirs) return;
    const auto found = std::ranges::find_if(callbacks_, [&](const auto& one) {
        return one.second.sibling.get() == from && one.second.theirs == *theirs;
    });
    if (found == callbacks_.end()) return;
    if (ties_.unread() > max_unread_) return ties_.too_much();
    set_first_int(frame.body, found->first);
    frame.header.serial = event_serial;
    ties_.send(frame.header, std::move(frame.body), {});
}

bool Forwarder::stream_packet(rpc::Frame& frame) {
    const auto found = streams_.find({frame.header.procedure, frame.header.serial});
    if (found == streams_.end() || frame.header.program != call::remote_program) return false;
    const auto sibling = found->second.sibling;
    auto header = frame.header;
    header.serial = found->second.serial;
    const auto* raw = sibling.get();
    ++on_the_way_[raw];
    sibling->packet(header, std::move(frame.body),
                    [weak = weak_from_this(), raw, gone = std::weak_ptr(sibling)] {
                        const auto self = weak.lock();
                        const auto still = gone.lock();
                        if (!self || self->closed_ || !still) return;
                        const bool last = --self->on_the_way_[raw] == 0;
                        if (!last && still->queued() > most_on_the_way / 2) return;
                        if (self->full_.erase(raw) > 0) self->ties_.hold_back(false);
                    });
    if (sibling->queued() > most_on_the_way && full_.insert(raw).second) ties_.hold_back(true);
    return true;
}

void Forwarder::packet(const Sibling* from, rpc::Frame frame) {
    const auto found = std::ranges::find_if(streams_, [&](const auto& one) {
        return one.second.sibling.get() == from && one.second.serial == frame.header.serial &&
               one.second.call.procedure == frame.header.procedure;
    });
    if (closed_ || found == streams_.end()) return;
    const auto sibling = found->second.sibling;
    auto header = frame.header;
    header.serial = found->second.call.serial;
    if (header.status != rpc::MessageStatus::more) streams_.erase(found); // finished, or broken
    ++to_client_;
    ties_.send(header, std::move(frame.body), [weak = weak_from_this(), gone = std::weak_ptr(sibling)] {
        const auto self = weak.lock();
        if (!self || self->closed_) return;
        const bool last = --self->to_client_ == 0;
        const auto still = gone.lock();
        if (still && (last || self->ties_.unread() <= most_on_the_way / 2)) still->resume();
    });
    if (!closed_ && ties_.unread() > most_on_the_way) sibling->pause();
}

void Forwarder::lost(const std::shared_ptr<Sibling>& sibling, call::Family family) {
    if (closed_) return;
    log(LogLevel::warning, "the daemon of " + uri(family) + " has ended: its events and streams with it");
    const auto error = rpc::printed(Error{.code = Code::operation_failed,
                                          .message = tr("the daemon of '{0}' has ended", uri(family)),
                                          .domain = ErrorDomain::rpc});
    const auto streams = streams_;
    std::erase_if(streams_, [&](const auto& one) { return one.second.sibling == sibling; });
    std::erase_if(callbacks_, [&](const auto& one) { return one.second.sibling == sibling; });
    for (const auto& [key, stream] : streams) {
        if (stream.sibling != sibling || closed_) continue;
        auto header = stream.call;
        header.type = rpc::MessageType::stream;
        header.status = rpc::MessageStatus::error;
        ties_.send(header, error, {});
    }
    if (full_.erase(sibling.get()) > 0 && !closed_) ties_.hold_back(false);
    on_the_way_.erase(sibling.get());
    auto& door = doors_[family];
    if (door.sibling == sibling) door.sibling.reset();
}

void Forwarder::close() {
    if (std::exchange(closed_, true)) return;
    const auto doors = std::exchange(doors_, {});
    for (const auto& [family, door] : doors)
        if (door.sibling) door.sibling->close();
    streams_.clear();
    callbacks_.clear();
    full_.clear();
}

} // namespace cloister::forward
