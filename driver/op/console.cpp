#include "driver/op/console.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "security/kernel/fd.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

namespace cloister {

namespace {

namespace asio = boost::asio;

constexpr std::size_t piece = 65536;

/// A device that a client may be connected with: where its bytes come out on the host.
struct Line {
    std::string alias{};
    std::string pty{};    ///< "/dev/pts/3"
    std::string socket{}; ///< or the path of a UNIX socket that QEMU listens at
};

std::optional<Line> line_of(const Chardev& chardev, const DeviceInfo& info) {
    Line out{.alias = info.alias ? info.alias->name : std::string{}};
    if (const auto* pty = std::get_if<PtyChardev>(&chardev.how))
        out.pty = pty->source ? pty->source->path.value_or("") : "";
    else if (const auto* socket = std::get_if<UnixChardev>(&chardev.how))
        out.socket = socket->source ? socket->source->path.value_or("") : "";
    else
        return std::nullopt;
    return out;
}

Result<Line> usable(std::optional<Line> line, const std::string& name) {
    if (!line)
        return refuse(Code::internal, tr("character device {0} is not using a PTY or UNIX socket", name));
    if (line->pty.empty() && line->socket.empty())
        return refuse(Code::internal, tr("character device {0} has no path on the host", name));
    return std::move(*line);
}

template <class D> void look_for(const Domain& domain, const std::string& name, const Chardev*& chardev,
                                 const DeviceInfo*& info) {
    for_each<D>(domain, [&](const D& device) {
        const bool fits = name.empty() || (device.info.alias && device.info.alias->name == name);
        if (chardev || !fits) return;
        chardev = &device.chardev;
        info = &device.info;
    });
}

Result<Line> console_line(const Domain& domain, const std::string& name) {
    const Chardev* chardev = nullptr;
    const DeviceInfo* info = nullptr;
    look_for<Console>(domain, name, chardev, info);
    look_for<Serial>(domain, name, chardev, info);
    look_for<Parallel>(domain, name, chardev, info);
    if (!chardev)
        return refuse(Code::internal, tr("cannot find character device {0}", name.empty() ? "(null)" : name));
    return usable(line_of(*chardev, *info), name);
}

Result<Line> channel_line(const Domain& domain, const std::string& name) {
    for (const auto* channel : devices_of<Channel>(domain)) {
        const auto* port = channel->target ? std::get_if<VirtioChannel>(&channel->target->kind) : nullptr;
        const bool fits = name.empty() || (channel->info.alias && channel->info.alias->name == name) ||
                          (port && port->name == name);
        if (fits) return usable(line_of(channel->chardev, channel->info), name);
    }
    return refuse(Code::internal, tr("cannot find channel {0}", name.empty() ? "(null)" : name));
}

Result<Fd> opened(const Line& line) {
    if (!line.pty.empty()) {
        Fd fd{::open(line.pty.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)};
        if (!fd) return std::unexpected(system_error(errno, tr("cannot open '{0}'", line.pty)));
        termios raw{};
        if (::tcgetattr(fd.n(), &raw) == 0) { // the bytes are the guest's: no echo, no line editing
            ::cfmakeraw(&raw);
            ::tcsetattr(fd.n(), TCSANOW, &raw);
        }
        return fd;
    }
    sockaddr_un where{.sun_family = AF_UNIX, .sun_path = {}};
    if (line.socket.size() >= sizeof where.sun_path)
        return fail(Code::internal, tr("the path '{0}' is too long for a socket", line.socket));
    std::memcpy(where.sun_path, line.socket.data(), line.socket.size());
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd || ::connect(fd.n(), reinterpret_cast<const sockaddr*>(&where), sizeof where) < 0)
        return std::unexpected(system_error(errno, tr("cannot connect to '{0}'", line.socket)));
    return fd;
}

/// One client on one line. Both directions hold it; whoever ends first ends the other.
struct Conversation {
    asio::posix::stream_descriptor line;
    std::shared_ptr<Pipe> client;
    std::weak_ptr<Guest> guest{};
    std::uint64_t run = 0;
    std::string alias{};

    void end(Result<> how) {
        if (!line.is_open()) return;
        line.close();
        client->finish(std::move(how));
        if (const auto whose = guest.lock(); whose && whose->run == run && whose->running) {
            auto& consoles = whose->running->consoles;
            if (const auto mine = consoles.find(alias); mine != consoles.end() && mine->second == client)
                consoles.erase(mine);
        }
    }
};

Task<void> to_client(std::shared_ptr<Conversation> talk) {
    std::vector<std::byte> buffer(piece);
    for (;;) {
        const auto [bad, count] =
            co_await talk->line.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
        if (bad) break; // the line is gone: EIO of a pty means that QEMU closed it
        std::vector<std::byte> bytes(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
        if (auto sent = co_await talk->client->to_client(std::move(bytes)); !sent) break;
    }
    talk->end({});
}

Task<void> from_client(std::shared_ptr<Conversation> talk) {
    for (;;) {
        auto bytes = co_await talk->client->from_client();
        if (!bytes || bytes->empty()) break;
        const auto [bad, count] =
            co_await asio::async_write(talk->line, asio::buffer(*bytes), asio::as_tuple(asio::use_awaitable));
        if (bad) break;
    }
    talk->end({});
}

Task<Result<>> connect(Call call, call::DomainHandle domain, std::string name, std::uint32_t flags,
                       bool channel) {
    constexpr std::uint32_t force = 1, safe = 2;
    CO_CHECK(check_flags(flags, channel ? force : force | safe,
                         channel ? "qemuDomainOpenChannel" : "qemuDomainOpenConsole"));
    CO_TRY(guest, find(call, domain));
    CO_CHECK(need_running(*guest));
    if (!call.stream) co_return refuse(Code::invalid_stream, tr("invalid stream"), ErrorDomain::streams);
    CO_TRY(line, channel ? channel_line(*guest->current(), name) : console_line(*guest->current(), name));
    auto& consoles = guest->running->consoles;
    const auto key = line.pty.empty() ? line.socket : line.pty; // a console and its serial port are one line
    if (const auto other = consoles.find(key); other != consoles.end()) {
        if (!(flags & force))
            co_return refuse(Code::operation_failed,
                             channel ? tr("Active channel stream exists for this domain")
                                     : tr("Active console session exists for this domain"));
        const auto ousted = other->second;
        consoles.erase(other);
        ousted->finish(fail(Code::operation_aborted, tr("another client has taken the console")));
    }
    CO_TRY(fd, opened(line));
    consoles[key] = call.stream;
    const auto talk = std::make_shared<Conversation>(
        Conversation{.line = asio::posix::stream_descriptor(call.driver->executor(), fd.release()),
                     .client = call.stream,
                     .guest = guest,
                     .run = guest->run,
                     .alias = key});
    spawn(call.driver->executor(), to_client(talk));
    spawn(call.driver->executor(), from_client(talk));
    co_return Result<>{};
}

} // namespace

Task<Result<DomainOpenConsole::Out>> DomainOpenConsole::run(Call call, In in) {
    auto name = in.dev_name ? std::move(in.dev_name->value) : std::string{};
    CO_CHECK(co_await connect(std::move(call), std::move(in.dom), std::move(name), in.flags, false));
    co_return Out{};
}

Task<Result<DomainOpenChannel::Out>> DomainOpenChannel::run(Call call, In in) {
    auto name = in.name ? std::move(in.name->value) : std::string{};
    CO_CHECK(co_await connect(std::move(call), std::move(in.dom), std::move(name), in.flags, true));
    co_return Out{};
}

} // namespace cloister
