#include "daemon/forward/sibling.hpp"

#include "conf/base/tr.hpp"
#include "conf/call/auth.hpp"
#include "conf/call/connect.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "daemon/rpc/xdr.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace cloister::forward {
namespace {

constexpr std::int32_t connect_open = 1, auth_list = 66, set_identity = 419;
constexpr std::chrono::seconds opening{10};

std::string_view name(call::Family family) {
    switch (family) {
    case call::Family::network: return "network";
    case call::Family::storage: return "storage";
    case call::Family::node_device: return "nodedev";
    case call::Family::interface: return "interface";
    case call::Family::secret: return "secret";
    case call::Family::nwfilter: return "nwfilter";
    }
    return "";
}

bool answered_by_us(const Fd& socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket.n(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == ::getpid();
}

/// What a daemon said, as it said it.
Error told(const rpc::Frame& frame) {
    const auto error = xdr::decode<rpc::WireError>(frame.body);
    if (!error) return error.error();
    return {.code = static_cast<Code>(error->code),
            .message = error->message ? error->message->value : std::string(),
            .domain = static_cast<ErrorDomain>(error->domain),
            .bare = true};
}

call::TypedParam param(std::string field, call::ParamValue value) {
    return {.field = {std::move(field)}, .value = std::move(value)};
}

} // namespace

std::vector<std::string> socket_paths(call::Family family, const std::string& folder) {
    return {folder + "/virt" + std::string(name(family)) + "d-sock", folder + "/libvirt-sock"};
}

std::string uri(call::Family family) { return std::string(name(family)) + ":///system"; }

Result<Fd> connect_to(const std::vector<std::string>& paths, const std::set<std::string>& ours) {
    std::optional<Error> why;
    for (const auto& path : paths) {
        if (ours.contains(path)) continue;
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        if (path.size() >= sizeof where.sun_path) continue;
        path.copy(where.sun_path, path.size());
        Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket) return std::unexpected(system_error(errno, tr("cannot make a socket")));
        if (::connect(socket.n(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) {
            if (!answered_by_us(socket)) return socket;
        } else if (errno != ENOENT && !why) {
            why = system_error(errno, tr("failed to connect to '{0}'", path));
        }
    }
    if (why) return std::unexpected(*std::move(why));
    return fail(Code::no_support, tr("no daemon of libvirt serves this"));
}

Sibling::Sibling(boost::asio::any_io_executor on, Fd socket)
    : on_(on), wire_(std::make_shared<rpc::Wire>(on, std::move(socket))) {}

void Sibling::start() {
    if (std::exchange(started_, true)) return;
    wire_->start(
        [weak = weak_from_this()](rpc::Frame frame, std::vector<Fd>) { // none of these families has files
            if (const auto self = weak.lock()) self->arrived(std::move(frame));
        },
        [weak = weak_from_this()](std::string) {
            if (const auto self = weak.lock()) self->ended();
        });
}

Task<Result<>> Sibling::open(call::Family family, Caller caller) {
    const auto self = shared_from_this();
    start();
    rpc::Bytes nothing;
    CO_TRY(list, co_await ask(auth_list, std::move(nothing), opening));
    CO_TRY(types, xdr::decode<call::AuthListOut>(list));
    constexpr std::int32_t none = 0;
    if (std::ranges::count(types.types.items, none) == 0)
        co_return fail(Code::auth_unavailable,
                       tr("the daemon of '{0}' wants this one to authenticate", uri(family)));
    call::ConnectOpenIn in;
    in.name = Text<>{uri(family)};
    in.flags = caller.read_only ? 1 : 0;
    CO_TRY(opened, xdr::encode(in));
    CO_CHECK(co_await ask(connect_open, std::move(opened), opening));
    if (caller.uid == 0) co_return Result<>(); // as whom we are let in
    call::ConnectSetIdentityIn who;
    who.params.items.push_back(param("unix-user-id", static_cast<std::uint64_t>(caller.uid)));
    who.params.items.push_back(param("unix-group-id", static_cast<std::uint64_t>(caller.gid)));
    who.params.items.push_back(param("process-id", static_cast<std::int64_t>(caller.pid)));
    who.params.items.push_back(param("process-time", caller.start_time));
    CO_TRY(identity, xdr::encode(who));
    CO_CHECK(co_await ask(set_identity, std::move(identity), opening));
    co_return Result<>();
}

std::uint32_t Sibling::send(std::int32_t procedure, rpc::Bytes body, OnReply on_reply) {
    const auto serial = ++last_serial_;
    if (!up()) {
        on_reply(fail(Code::operation_failed, tr("the daemon has ended")));
        return serial;
    }
    waiting_[serial] = std::move(on_reply);
    wire_->send(
        rpc::printed({.program = call::remote_program, .procedure = procedure, .serial = serial}, body));
    return serial;
}

Task<Result<rpc::Bytes>> Sibling::ask(std::int32_t procedure, rpc::Bytes body,
                                      std::chrono::milliseconds patience) {
    const auto self = shared_from_this();
    struct Slot {
        boost::asio::steady_timer timer;
        std::optional<Result<rpc::Frame>> reply{};
    };
    const auto slot = std::make_shared<Slot>(Slot{boost::asio::steady_timer(on_, patience)});
    const auto serial = send(procedure, std::move(body), [slot](Result<rpc::Frame> reply) {
        slot->reply = std::move(reply);
        slot->timer.cancel();
    });
    if (!slot->reply) co_await slot->timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (!slot->reply) {
        waiting_.erase(serial);
        co_return fail(Code::operation_timeout, tr("the daemon does not answer"));
    }
    CO_CHECK(*slot->reply);
    auto& frame = **slot->reply;
    if (frame.header.status == rpc::MessageStatus::error) co_return std::unexpected(told(frame));
    co_return std::move(frame.body);
}

void Sibling::packet(rpc::Header header, rpc::Bytes body, std::function<void()> written) {
    wire_->send(rpc::printed(header, body), {}, std::move(written));
}

void Sibling::arrived(rpc::Frame frame) {
    const auto& header = frame.header;
    if (header.program == rpc::keepalive_program) {
        if (header.procedure == rpc::keepalive_ping)
            wire_->send(rpc::printed({.program = rpc::keepalive_program,
                                      .procedure = rpc::keepalive_pong,
                                      .type = rpc::MessageType::message},
                                     {}));
        return;
    }
    switch (header.type) {
    case rpc::MessageType::reply:
    case rpc::MessageType::reply_with_files: {
        const auto found = waiting_.find(header.serial);
        if (found == waiting_.end()) return;
        const auto on_reply = std::move(found->second);
        waiting_.erase(found);
        return on_reply(std::move(frame));
    }
    case rpc::MessageType::message:
        if (handlers_.message) handlers_.message(std::move(frame));
        return;
    case rpc::MessageType::stream:
    case rpc::MessageType::stream_hole:
        if (handlers_.packet) handlers_.packet(std::move(frame));
        return;
    case rpc::MessageType::call:
    case rpc::MessageType::call_with_files: return; // a daemon calls nobody
    }
}

void Sibling::ended() {
    const auto self = shared_from_this();
    const auto waiting = std::exchange(waiting_, {});
    for (const auto& [serial, on_reply] : waiting)
        on_reply(fail(Code::operation_failed, tr("the daemon ended before it answered")));
    const auto handlers = std::exchange(handlers_, {});
    if (handlers.ended) handlers.ended();
}

void Sibling::close() {
    handlers_ = {};
    waiting_.clear();
    wire_->close("not needed any more");
}

} // namespace cloister::forward
