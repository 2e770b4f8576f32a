#include "client/connection.hpp"

#include "conf/base/tr.hpp"
#include "conf/call/auth.hpp"
#include "conf/call/connect.hpp"
#include "daemon/rpc/error_wire.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace cloister::client {
namespace {

std::uint32_t number_of(Program program) {
    switch (program) {
    case Program::remote: return call::remote_program;
    case Program::qemu: return call::qemu_program;
    case Program::own: return call::cloister_program;
    }
    return 0;
}
Result<std::int32_t> procedure(std::string_view name, Program program) {
    const auto table = program == Program::remote ? call::remote_procedures()
                       : program == Program::qemu ? call::qemu_procedures()
                                                  : call::cloister_procedures();
    const auto found = std::ranges::find(table, name, &call::Procedure::name);
    if (found == table.end()) return fail(Code::internal, tr("there is no procedure '{0}'", name));
    return found->number;
}
/// The daemon's error as ours: its text is whole already, so the code's prefix is taken off again.
Error told(std::span<const std::byte> body) {
    const auto said = xdr::decode<rpc::WireError>(body);
    if (!said) return said.error();
    Error error{.code = static_cast<Code>(said->code), .message = said->message ? said->message->value : ""};
    const auto start = prefix(error.code);
    if (error.message.starts_with(start)) error.message.erase(0, start.size());
    return error;
}

} // namespace

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), serial_(other.serial_), stream_(other.stream_),
      framer_(std::move(other.framer_)), events_(std::move(other.events_)),
      stream_frames_(std::move(other.stream_frames_)) {}

Connection::~Connection() {
    if (fd_ < 0) return;
    (void)exchange("CONNECT_CLOSE", {}, Program::remote); // the daemon closes anyway when we are gone
    ::close(fd_);
}

Result<Connection> Connection::open(const std::string& socket, const std::string& uri, bool read_only) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() >= sizeof address.sun_path)
        return fail(Code::invalid_arg, tr("socket path '{0}' is too long", socket));
    std::memcpy(address.sun_path, socket.data(), socket.size());
    Connection connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connection.fd_ < 0) return std::unexpected(system_error(errno, tr("cannot make a socket")));
    if (::connect(connection.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        auto error = system_error(errno, tr("cannot connect to the daemon at '{0}'", socket));
        ::close(std::exchange(connection.fd_, -1));
        return std::unexpected(std::move(error));
    }
    const auto auth = connection.call<call::AuthListOut>("AUTH_LIST", call::Nothing{});
    if (!auth) return std::unexpected(auth.error());
    if (!auth->types.items.empty() && auth->types.items.front() == 2) {
        const auto polkit = connection.call<call::AuthPolkitOut>("AUTH_POLKIT", call::Nothing{});
        if (!polkit) return std::unexpected(polkit.error());
    }
    const auto opened = connection.order(
        "CONNECT_OPEN", call::ConnectOpenIn{.name = Text<>{uri}, .flags = read_only ? 1u : 0u});
    if (!opened) return std::unexpected(opened.error());
    return connection;
}

Result<> Connection::send(const rpc::Header& header, std::span<const std::byte> body) {
    const auto bytes = rpc::printed(header, body);
    for (std::size_t sent = 0; sent < bytes.size();) {
        const auto n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::unexpected(system_error(errno, tr("the connection to the daemon broke")));
        sent += static_cast<std::size_t>(n);
    }
    return {};
}

Result<std::optional<rpc::Frame>> Connection::receive(std::optional<std::chrono::milliseconds> patience) {
    for (;;) {
        auto frame = framer_.next();
        if (!frame) return std::unexpected(frame.error());
        if (*frame && (*frame)->header.program == rpc::keepalive_program) {
            if ((*frame)->header.procedure == rpc::keepalive_ping) {
                auto pong = (*frame)->header;
                pong.procedure = rpc::keepalive_pong;
                TRY(send(pong, {}));
            }
            continue;
        }
        if (*frame) return std::move(*frame);
        pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&waiting, 1, patience ? static_cast<int>(patience->count()) : -1);
        if (ready == 0 || (ready < 0 && errno == EINTR && patience)) return std::optional<rpc::Frame>{};
        std::byte buffer[65536];
        const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::unexpected(system_error(errno, tr("the connection to the daemon broke")));
        if (n == 0) return fail(Code::internal, tr("the daemon closed the connection"));
        framer_.feed({buffer, static_cast<std::size_t>(n)});
    }
}

Result<rpc::Bytes> Connection::exchange(std::string_view name, std::span<const std::byte> body,
                                        Program program) {
    rpc::Header header{
        .program = number_of(program), .procedure = TRY(procedure(name, program)), .serial = ++serial_};
    TRY(send(header, body));
    for (;;) {
        auto frame = TRY(receive(std::nullopt));
        if (!frame) continue;
        if (frame->header.type == rpc::MessageType::message) {
            events_.push_back(std::move(*frame));
            continue;
        }
        if (frame->header.type == rpc::MessageType::stream) {
            stream_frames_.push_back(std::move(*frame));
            continue;
        }
        if (frame->header.serial != header.serial) continue;
        if (frame->header.status == rpc::MessageStatus::error) return std::unexpected(told(frame->body));
        stream_ = header;
        return std::move(frame->body);
    }
}

Result<> Connection::stream_send(std::span<const std::byte> bytes) {
    auto header = stream_;
    header.type = rpc::MessageType::stream;
    header.status = rpc::MessageStatus::more;
    return send(header, bytes);
}
Result<> Connection::stream_finish() {
    auto header = stream_;
    header.type = rpc::MessageType::stream;
    header.status = rpc::MessageStatus::ok;
    return send(header, {});
}
Result<std::optional<rpc::Bytes>> Connection::stream_receive() {
    for (;;) {
        std::optional<rpc::Frame> frame;
        if (!stream_frames_.empty()) {
            frame = std::move(stream_frames_.front());
            stream_frames_.pop_front();
        } else
            frame = TRY(receive(std::nullopt));
        if (!frame || frame->header.type != rpc::MessageType::stream ||
            frame->header.serial != stream_.serial)
            continue;
        if (frame->header.status == rpc::MessageStatus::error) return std::unexpected(told(frame->body));
        if (frame->header.status == rpc::MessageStatus::ok || frame->body.empty())
            return std::optional<rpc::Bytes>{};
        return std::optional<rpc::Bytes>{std::move(frame->body)};
    }
}

Result<std::optional<rpc::Frame>> Connection::event(std::chrono::milliseconds patience) {
    if (!events_.empty()) {
        auto frame = std::move(events_.front());
        events_.pop_front();
        return std::optional<rpc::Frame>{std::move(frame)};
    }
    auto frame = TRY(receive(patience));
    if (frame && frame->header.type != rpc::MessageType::message) frame.reset();
    return frame;
}

} // namespace cloister::client
