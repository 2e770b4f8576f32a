#include "driver/qmp/client.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <map>
#include <optional>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace cloister {

namespace asio = boost::asio;
namespace json = boost::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto done = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view class_mark = "QEMU error class ";

/// A duplicate of a descriptor that waits for its command to be written.
class Dup {
public:
    explicit Dup(int of) : fd_(::fcntl(of, F_DUPFD_CLOEXEC, 3)) {}
    Dup(Dup&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Dup& operator=(Dup&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Dup() {
        if (fd_ >= 0) ::close(fd_);
    }
    int number() const { return fd_; }

private:
    int fd_;
};

struct Outgoing {
    std::string bytes{};
    std::size_t sent = 0;
    std::vector<Dup> fds{};
};

/// Writes what the socket takes; the descriptors go with the first byte. -1 with errno when it takes nothing.
ssize_t write_some(int socket, const Outgoing& out) {
    iovec part{const_cast<char*>(out.bytes.data()) + out.sent, out.bytes.size() - out.sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    std::vector<char> control;
    if (out.sent == 0 && !out.fds.empty()) {
        const auto room = out.fds.size() * sizeof(int);
        control.resize(CMSG_SPACE(room));
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(room);
        for (std::size_t i = 0; i < out.fds.size(); ++i) {
            const int number = out.fds[i].number();
            std::memcpy(CMSG_DATA(header) + i * sizeof(int), &number, sizeof number);
        }
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Error end_of_file() { return Error{.message = tr("End of file from qemu monitor")}; }

} // namespace

struct Monitor::Pending {
    std::uint64_t id = 0;
    asio::steady_timer over; ///< cancelled when the answer is here
    std::optional<Result<json::value>> answer{};
};

/// Shared by the monitor, its reading coroutine and everything that waits; the reading ends when it is
/// closed.
struct Monitor::State : std::enable_shared_from_this<Monitor::State> {
    State(asio::any_io_executor on, int fd) : socket(on, asio::local::stream_protocol(), fd) {}

    asio::local::stream_protocol::socket socket;
    qmp::LineReader lines{};
    qmp::Greeting greeting{};
    std::map<std::uint64_t, std::shared_ptr<Pending>> pending{}; ///< 0: the greeting
    std::uint64_t last_id = 0;
    std::deque<Outgoing> outgoing{};
    bool writing = false;
    MonitorHooks hooks{};
    bool hooked = false;
    std::optional<Error> ended{};

    std::shared_ptr<Pending> expect(std::uint64_t id, Clock::time_point until) {
        auto one = std::make_shared<Pending>(
            Pending{.id = id, .over = asio::steady_timer(socket.get_executor(), until)});
        pending.emplace(id, one);
        return one;
    }
    void give(std::uint64_t id, Result<json::value> answer) {
        const auto found = pending.find(id);
        if (found == pending.end()) return; // its deadline has passed, nobody waits any more
        const auto one = found->second;
        pending.erase(found);
        one->answer = std::move(answer);
        one->over.cancel();
    }
    /// Ends the conversation once; `tell`: the owner has not asked for it.
    void end(Error why, bool tell) {
        if (ended) return;
        ended = why;
        boost::system::error_code ignored;
        socket.close(ignored);
        outgoing.clear();
        for (auto waiting = std::exchange(pending, {}); auto& [id, one] : waiting) {
            one->answer = std::unexpected(why);
            one->over.cancel();
        }
        const auto hook = std::move(hooks.on_closed);
        hooks = {};
        if (tell && hooked && hook) hook(std::move(why));
    }

    void write_on() {
        while (!outgoing.empty() && !ended) {
            auto& first = outgoing.front();
            const auto n = write_some(socket.native_handle(), first);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) return wait_to_write();
            if (n < 0) {
                // What QEMU said last is still to be read; the reading side finds the end, and says it
                // better.
                if (errno == EPIPE || errno == ECONNRESET) return outgoing.clear();
                return end(system_error(errno, tr("cannot write to the QEMU monitor")), true);
            }
            first.sent += static_cast<std::size_t>(n);
            if (first.sent == first.bytes.size())
                outgoing.pop_front();
            else
                first.fds.clear();
        }
    }
    void wait_to_write() {
        if (std::exchange(writing, true)) return;
        socket.async_wait(asio::socket_base::wait_write,
                          [self = shared_from_this()](boost::system::error_code error) {
                              self->writing = false;
                              if (!error) self->write_on();
                          });
    }
    void write(Outgoing message) {
        outgoing.push_back(std::move(message));
        if (!writing) write_on();
    }

    void take(qmp::Message message) {
        std::visit(
            overload{
                [&](qmp::Greeting&& hello) {
                    greeting = std::move(hello);
                    give(0, json::value());
                },
                [&](qmp::Reply&& reply) {
                    if (reply.id == 0 || reply.id > last_id)
                        return end(
                            Error{.message = tr("QEMU's monitor answered a command that was never sent")},
                            true);
                    give(reply.id, std::move(reply.value));
                },
                [&](qmp::Refusal&& refusal) {
                    // Without an id QEMU could not even read the command, which is the oldest one.
                    const auto first = pending.lower_bound(1);
                    const auto id = refusal.id.value_or(first == pending.end() ? 0 : first->first);
                    Error error{.message = std::move(refusal.description)};
                    error.context.push_back(std::string(class_mark) + refusal.error_class);
                    give(id, std::unexpected(std::move(error)));
                },
                [&](qmp::RawEvent&& event) {
                    if (!hooks.on_event) return;
                    const auto hook = hooks.on_event; // a copy: it may drop the monitor, and itself with it
                    hook(std::move(event.name), std::move(event.data), event.at);
                },
            },
            std::move(message));
    }

    static Task<void> read_all(std::shared_ptr<State> self) {
        std::array<char, 65536> buffer;
        while (!self->ended) {
            const auto [error, n] = co_await self->socket.async_read_some(asio::buffer(buffer), done);
            if (self->ended) co_return;
            if (error == asio::error::eof || error == asio::error::connection_reset || (!error && n == 0))
                co_return self->end(end_of_file(), true);
            if (error)
                co_return self->end(system_error(error.value(), tr("cannot read from the QEMU monitor")),
                                    true);
            if (auto fits = self->lines.feed({buffer.data(), n}); !fits)
                co_return self->end(std::move(fits).error(), true);
            while (auto line = self->lines.next()) {
                auto message = qmp::decoded(*line);
                if (!message) co_return self->end(std::move(message).error(), true);
                self->take(*std::move(message));
                if (self->ended) co_return;
            }
        }
    }
};

namespace {

/// Connects without blocking. sun_path holds 108 bytes: a longer name is reached through its folder's
/// descriptor.
int connected(const std::string& path, Error& error) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error = system_error(errno, tr("cannot create a socket"));
        return -1;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string name = path;
    int folder = -1;
    if (name.size() >= sizeof address.sun_path) {
        const auto slash = path.rfind('/');
        folder = ::open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        name = "/proc/self/fd/" + std::to_string(folder) + path.substr(slash);
    }
    int sys = folder < 0 && name.size() >= sizeof address.sun_path ? ENAMETOOLONG : 0;
    if (!sys) {
        std::memcpy(address.sun_path, name.data(), std::min(name.size(), sizeof address.sun_path - 1));
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) sys = errno;
    }
    if (folder >= 0) ::close(folder);
    if (!sys) return fd;
    ::close(fd);
    error = system_error(sys, tr("failed to connect to monitor socket"));
    return -1;
}

} // namespace

Task<Result<std::shared_ptr<Monitor>>> Monitor::connect(std::string path, MonitorHooks hooks,
                                                        std::chrono::milliseconds within) {
    const auto until = Clock::now() + within;
    asio::steady_timer pause(co_await asio::this_coro::executor);
    for (;;) {
        Error error;
        if (const int fd = connected(path, error); fd >= 0) {
            auto state = std::make_shared<State>(pause.get_executor(), fd);
            co_return co_await negotiated(std::move(state), std::move(hooks), until);
        }
        // EAGAIN: somebody else waits to be accepted, and the backlog is one. The kernel tells nobody when
        // there is room again, so this is the one place that asks again.
        if (error.sys_errno != EAGAIN || Clock::now() >= until) co_return std::unexpected(std::move(error));
        pause.expires_after(std::chrono::milliseconds(10));
        co_await pause.async_wait(done);
    }
}

Task<Result<std::shared_ptr<Monitor>>> Monitor::adopt(int fd, MonitorHooks hooks,
                                                      std::chrono::milliseconds within) {
    const auto until = Clock::now() + within;
    auto state = std::make_shared<State>(co_await asio::this_coro::executor, fd);
    co_return co_await negotiated(std::move(state), std::move(hooks), until);
}

Task<Result<std::shared_ptr<Monitor>>> Monitor::negotiated(std::shared_ptr<State> state, MonitorHooks hooks,
                                                           Clock::time_point until) {
    state->hooks = std::move(hooks);
    const std::shared_ptr<Monitor> monitor(new Monitor(state));
    const auto hello = state->expect(0, until);
    asio::co_spawn(state->socket.get_executor(), State::read_all(state), asio::detached);
    // The commands are sent before the greeting is here: QEMU reads them after it has spoken.
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    auto negotiation = monitor->send("qmp_capabilities", {}, left);
    if (!hello->answer) co_await hello->over.async_wait(done);
    if (!hello->answer) {
        Error late{.code = Code::operation_timeout,
                   .message = tr("timed out waiting for the greeting of QEMU's monitor")};
        state->end(late, false);
        co_return std::unexpected(std::move(late));
    }
    if (!*hello->answer) co_return std::unexpected(std::move(*hello->answer).error());
    auto ready = co_await negotiation.answer();
    if (!ready) {
        state->end(ready.error(), false);
        co_return std::unexpected(std::move(ready).error());
    }
    if (state->ended) co_return std::unexpected(*state->ended);
    state->hooked = true;
    co_return monitor;
}

Monitor::Monitor(std::shared_ptr<State> state) : state_(std::move(state)) {}

Monitor::~Monitor() {
    close(Error{.code = Code::operation_aborted, .message = tr("the QEMU monitor was closed")});
}

void Monitor::close(Error why) { state_->end(std::move(why), false); }
bool Monitor::closed() const { return state_->ended.has_value(); }
std::uint32_t Monitor::qemu_version() const { return state_->greeting.version; }

Monitor::Sent Monitor::send(std::string command, json::object arguments, std::chrono::milliseconds within,
                            std::vector<int> fds) {
    const auto id = ++state_->last_id;
    auto one = state_->expect(id, Clock::now() + within);
    if (state_->ended) {
        state_->give(id, std::unexpected(*state_->ended));
        return {state_, std::move(one), std::move(command)};
    }
    Outgoing message{.bytes = qmp::printed(command, arguments, id)};
    for (const int fd : fds) message.fds.emplace_back(fd);
    state_->write(std::move(message));
    return {state_, std::move(one), std::move(command)};
}

Task<Result<json::value>> Monitor::Sent::answer() {
    const auto one = pending_; // this object may be gone by the time the answer is here
    const auto state = state_;
    const auto command = command_;
    if (!one->answer) co_await one->over.async_wait(done);
    if (!one->answer) {
        state->pending.erase(one->id);
        if (Clock::now() < one->over.expiry())
            co_return fail(Code::operation_aborted,
                           tr("waiting for QEMU's answer to '{0}' was cancelled", command));
        co_return fail(Code::operation_timeout, tr("timed out waiting for QEMU's answer to '{0}'", command));
    }
    if (!*one->answer && !qmp::error_class(one->answer->error()).empty()) {
        auto& error = one->answer->error();
        error.message = tr("unable to execute QEMU command '{0}': {1}", command, error.message);
    }
    co_return std::move(*one->answer);
}

Task<Result<json::value>> Monitor::execute(std::string command, json::object arguments,
                                           std::chrono::milliseconds within, std::vector<int> fds) {
    auto sent = send(std::move(command), std::move(arguments), within, std::move(fds));
    co_return co_await sent.answer();
}

Task<Result<json::value>> Monitor::execute(std::string command) {
    auto sent = send(std::move(command));
    co_return co_await sent.answer();
}

std::string_view qmp::error_class(const Error& error) {
    for (const auto& entry : error.context)
        if (entry.starts_with(class_mark)) return std::string_view(entry).substr(class_mark.size());
    return {};
}

} // namespace cloister
