#include "daemon/dbus/bus.hpp"

#include "conf/base/tr.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <list>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/stat.h>
#include <systemd/sd-bus.h>

namespace cloister::dbus {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Descriptor = asio::posix::stream_descriptor;

namespace {

constexpr std::chrono::milliseconds first_pause{250}, longest_pause{30'000};
/// Messages in one go, before others get their turn.
constexpr int most_at_once = 64;

Error not_sent(int failed) {
    if (failed == ENOTCONN || failed == ECONNRESET || failed == EPIPE)
        return {.code = Code::no_connect, .message = tr("there is no connection to the message bus")};
    return system_error(failed, tr("cannot send to the message bus"));
}
Error no_bus() { return not_sent(ENOTCONN); }

/// The D-Bus names that say that nobody is there to answer.
bool nobody_there(std::string_view name) {
    constexpr std::string_view bus = "org.freedesktop.DBus.Error.";
    if (!name.starts_with(bus)) return false;
    name.remove_prefix(bus.size());
    return name == "ServiceUnknown" || name == "NameHasNoOwner" || name.starts_with("Spawn.");
}

Error error_of(sd_bus_message* reply) {
    const auto* given = ::sd_bus_message_get_error(reply);
    const std::string name = given->name ? given->name : "";
    const std::string text = given->message ? given->message : name;
    return Error{.code = nobody_there(name) ? Code::no_server : Code::dbus_service,
                 .message = text,
                 .context = {name}};
}

/// sd_bus's own clock is CLOCK_MONOTONIC, as is that of libstdc++.
Clock::time_point at(std::uint64_t microseconds) {
    return Clock::time_point(std::chrono::microseconds(microseconds));
}

struct Pending {
    explicit Pending(const asio::any_io_executor& on) : over(on) {}
    asio::steady_timer over; ///< cancelled when the answer is here
    sd_bus_slot* slot = nullptr;
    std::optional<Result<Message>> answer{};
};

int answered(sd_bus_message* reply, void* pending, sd_bus_error*) {
    auto& one = *static_cast<Pending*>(pending);
    // That the connection has ended, sd-bus says as if the other side had: drop() says it better.
    if (::sd_bus_is_open(::sd_bus_message_get_bus(reply)) <= 0) return 1;
    if (::sd_bus_message_is_method_error(reply, nullptr) > 0)
        one.answer = std::unexpected(error_of(reply));
    else
        one.answer = Message::shared(reply);
    one.over.cancel();
    return 1;
}

struct Watch {
    std::string match{};
    Bus::OnSignal on_signal{};
    sd_bus_slot* slot = nullptr;
};

int signalled(sd_bus_message* signal, void* watch, sd_bus_error*) {
    const auto on_signal = static_cast<Watch*>(watch)->on_signal; // it may end its own watch
    on_signal(Message::shared(signal));
    return 0;
}

/// Of a socket that sd-bus replaced by another with the same number we would never hear again.
ino_t inode(int fd) {
    struct stat found{};
    return ::fstat(fd, &found) == 0 ? found.st_ino : 0;
}

} // namespace

Message Message::shared(sd_bus_message* message) { return Message(::sd_bus_message_ref(message)); }
Message::Message(const Message& other) : raw_(::sd_bus_message_ref(other.raw_)) {}
Message::~Message() { ::sd_bus_message_unref(raw_); }

struct Bus::State : std::enable_shared_from_this<Bus::State> {
    State(asio::any_io_executor where, std::string to)
        : on(where), address(std::move(to)), socket(where), due(where), again(where) {}
    ~State() { drop(); }

    asio::any_io_executor on;
    std::string address;
    sd_bus* bus = nullptr;
    Descriptor socket; ///< a duplicate: asio must not learn from sd-bus closing its own
    ino_t socket_inode = 0;
    asio::steady_timer due;   ///< sd-bus's own timeouts
    asio::steady_timer again; ///< until the next try to connect
    std::chrono::milliseconds pause = first_pause;
    bool reading = false, writing = false, pumping = false, queued = false;
    bool is_up = false, closed = false;
    std::set<std::shared_ptr<Pending>> pending{};
    std::list<std::shared_ptr<Watch>> watches{};
    std::list<std::shared_ptr<Resident>> residents{};

    // ---- the connection ----
    void connect() {
        if (closed || bus || address.empty()) return;
        if (const int failed = open(); failed < 0) {
            log(LogLevel::info,
                "cannot connect to the message bus: " + std::generic_category().message(-failed));
            return went_down();
        }
        for (const auto& watch : watches) add(*watch);
        for (const auto& resident : std::list(residents))
            if (resident->made) resident->made(*bus);
        pump();
    }
    int open() {
        int done = ::sd_bus_new(&bus);
        if (done >= 0) done = ::sd_bus_set_address(bus, address.c_str());
        if (done >= 0) done = ::sd_bus_set_bus_client(bus, 1);
        if (done >= 0) done = ::sd_bus_negotiate_fds(bus, 1);
        if (done >= 0) done = ::sd_bus_set_connected_signal(bus, 1);
        // A bus that is not there yet is waited for, by inotify.
        if (done >= 0) done = ::sd_bus_set_watch_bind(bus, 1);
        if (done >= 0)
            done = ::sd_bus_match_signal_async(
                bus, nullptr, nullptr, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                "Connected",
                [](sd_bus_message*, void* state, sd_bus_error*) {
                    static_cast<State*>(state)->came_up();
                    return 0;
                },
                nullptr, this);
        if (done >= 0) done = ::sd_bus_start(bus);
        return done;
    }
    void came_up() {
        is_up = true;
        pause = first_pause;
        log(LogLevel::debug, "connected to the message bus as " + name());
        for (const auto& resident : std::list(residents))
            if (resident->up) resident->up();
    }
    std::string name() const {
        const char* unique = nullptr;
        return is_up && ::sd_bus_get_unique_name(bus, &unique) >= 0 ? unique : "";
    }
    /// Lets go of sd-bus and everything that hangs on it.
    void drop() {
        boost::system::error_code ignored;
        socket.close(ignored);
        due.cancel();
        for (const auto& watch : watches) watch->slot = ::sd_bus_slot_unref(watch->slot);
        for (const auto& one : std::exchange(pending, {})) {
            one->slot = ::sd_bus_slot_unref(one->slot);
            if (!one->answer) one->answer = std::unexpected(closed ? aborted() : no_bus());
            one->over.cancel();
        }
        if (bus) ::sd_bus_close(bus);
        bus = ::sd_bus_unref(bus);
    }
    void went_down() {
        const bool was_up = std::exchange(is_up, false);
        drop();
        if (closed) return;
        if (was_up) {
            log(LogLevel::warning, "the connection to the message bus has ended");
            for (const auto& resident : std::list(residents))
                if (resident->down) resident->down();
        }
        again.expires_after(pause);
        pause = std::min(pause * 2, longest_pause);
        again.async_wait([weak = weak_from_this()](boost::system::error_code error) {
            if (const auto self = weak.lock(); self && !error) self->connect();
        });
    }
    static Error aborted() {
        return {.code = Code::operation_aborted, .message = tr("the call was given up")};
    }

    // ---- the reactor ----
    /// Works off what has arrived, and waits for more.
    void pump() {
        if (pumping || !bus) return;
        pumping = true;
        int done = 1;
        for (int i = 0; done > 0 && i < most_at_once && bus; ++i) done = ::sd_bus_process(bus, nullptr);
        pumping = false;
        if (!bus) return;
        if (done < 0) return went_down();
        arm();
        if (done > 0) pump_later();
    }
    void pump_later() {
        if (std::exchange(queued, true)) return;
        asio::post(on, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) return;
            self->queued = false;
            self->pump();
        });
    }
    /// Tells the reactor what sd-bus waits for. Needed after everything that could have changed that.
    void arm() {
        if (!bus || pumping) return;
        const int fd = ::sd_bus_get_fd(bus), events = ::sd_bus_get_events(bus);
        std::uint64_t until = UINT64_MAX;
        if (fd < 0 || events < 0 || ::sd_bus_get_timeout(bus, &until) < 0)
            return pump_later(); // it has ended
        if (!follow(fd)) return give_up_later();
        if ((events & POLLIN) != 0 && !std::exchange(reading, true)) wait(Descriptor::wait_read, reading);
        if ((events & POLLOUT) != 0 && !std::exchange(writing, true)) wait(Descriptor::wait_write, writing);
        if (until == UINT64_MAX) {
            due.cancel();
            return;
        }
        due.expires_at(at(until));
        due.async_wait([weak = weak_from_this()](boost::system::error_code error) {
            if (const auto self = weak.lock(); self && !error) self->pump();
        });
    }
    /// Without a descriptor to wait on (too many are open) the connection is of no use: another one, later.
    void give_up_later() {
        asio::post(on, [weak = weak_from_this(), which = bus] {
            const auto self = weak.lock();
            if (self && self->bus == which && !self->closed) self->went_down();
        });
    }
    bool follow(int fd) {
        const auto now = inode(fd);
        if (socket.is_open() && socket_inode == now) return true;
        boost::system::error_code ignored;
        socket.close(ignored);
        const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (own < 0) return false;
        socket = Descriptor(on, own);
        socket_inode = now;
        reading = writing = false; // what still waits is aborted, and says so by its error
        return true;
    }
    void wait(Descriptor::wait_type what, bool& flag) {
        socket.async_wait(what, [weak = weak_from_this(), &flag](boost::system::error_code error) {
            const auto self = weak.lock();
            // Of a socket that has been replaced the flag is no longer this wait's.
            if (!self || error == asio::error::operation_aborted) return;
            flag = false;
            self->pump();
        });
    }

    void add(Watch& watch) {
        if (::sd_bus_add_match_async(bus, &watch.slot, watch.match.c_str(), &signalled, nullptr, &watch) < 0)
            log(LogLevel::error, "cannot watch the message bus for " + watch.match);
    }
};

Bus::Bus(asio::any_io_executor on, std::string address)
    : state_(std::make_shared<State>(on, std::move(address))) {}
Bus::~Bus() { close(); }

void Bus::start() { state_->connect(); }

void Bus::close() {
    if (std::exchange(state_->closed, true)) return;
    state_->again.cancel();
    state_->is_up = false;
    for (int i = 0; state_->bus && !state_->pumping && i < most_at_once; ++i) {
        if ((::sd_bus_get_events(state_->bus) & POLLOUT) == 0) break;
        if (::sd_bus_process(state_->bus, nullptr) <= 0) break;
    }
    // Not in the middle of sd_bus_process: whoever is called by it may close us.
    if (!state_->pumping) return state_->drop();
    asio::post(state_->on, [state = state_] { state->drop(); });
}

bool Bus::up() const { return state_->is_up; }
std::string Bus::unique_name() const { return state_->name(); }
asio::any_io_executor Bus::executor() const { return state_->on; }

Result<Message> Bus::method(const std::string& destination, const std::string& path,
                            const std::string& interface, const std::string& member) const {
    if (!up()) return std::unexpected(no_bus());
    sd_bus_message* made = nullptr;
    const int done = ::sd_bus_message_new_method_call(state_->bus, &made, destination.c_str(), path.c_str(),
                                                      interface.c_str(), member.c_str());
    if (done < 0) return std::unexpected(Error{.message = std::generic_category().message(-done)});
    return Message(made);
}

Result<Message> Bus::signal(const std::string& path, const std::string& interface,
                            const std::string& member) const {
    if (!up()) return std::unexpected(no_bus());
    sd_bus_message* made = nullptr;
    const int done =
        ::sd_bus_message_new_signal(state_->bus, &made, path.c_str(), interface.c_str(), member.c_str());
    if (done < 0) return std::unexpected(Error{.message = std::generic_category().message(-done)});
    return Message(made);
}

Task<Result<Message>> Bus::call(Message request, std::chrono::milliseconds patience) {
    const auto state = state_; // the bus may go while we wait
    if (!state->is_up || ::sd_bus_message_get_bus(request.raw()) != state->bus)
        co_return std::unexpected(no_bus());
    const auto one = std::make_shared<Pending>(state->on);
    one->over.expires_after(patience);
    // The deadline is ours: sd-bus waits for ever.
    if (const int failed =
            ::sd_bus_call_async(state->bus, &one->slot, request.raw(), &answered, one.get(), UINT64_MAX);
        failed < 0) {
        state->pump_later(); // it finds out what is wrong with the connection
        co_return std::unexpected(not_sent(-failed));
    }
    state->pending.insert(one);
    state->arm();
    const auto [error] = co_await one->over.async_wait(asio::as_tuple(asio::use_awaitable));
    state->pending.erase(one);
    one->slot = ::sd_bus_slot_unref(one->slot); // a late answer finds nobody
    if (one->answer) co_return *std::move(one->answer);
    if (!error)
        co_return std::unexpected(
            Error{.code = Code::operation_timeout,
                  .message = tr("no answer from the message bus within {0} ms", patience.count())});
    co_return std::unexpected(State::aborted());
}

Result<> Bus::send(const Message& message) {
    // A reply to a call of a connection that has ended meanwhile would go to a stranger.
    if (!up() || ::sd_bus_message_get_bus(message.raw()) != state_->bus) return std::unexpected(no_bus());
    if (const int failed = ::sd_bus_send(state_->bus, message.raw(), nullptr); failed < 0) {
        state_->pump_later();
        return std::unexpected(not_sent(-failed));
    }
    state_->arm();
    return {};
}

Bus::Token Bus::move_in(Resident resident) {
    auto one = std::make_shared<Resident>(std::move(resident));
    state_->residents.push_back(one);
    if (state_->bus && one->made) one->made(*state_->bus);
    if (state_->is_up && one->up) one->up();
    state_->arm();
    return Token(one.get(), [weak = std::weak_ptr(state_), one](void*) {
        if (const auto state = weak.lock()) state->residents.remove(one);
    });
}

Bus::Token Bus::watch(std::string match, OnSignal on_signal) {
    auto one = std::make_shared<Watch>(Watch{.match = std::move(match), .on_signal = std::move(on_signal)});
    state_->watches.push_back(one);
    if (state_->bus) state_->add(*one);
    state_->arm();
    return Token(one.get(), [weak = std::weak_ptr(state_), one](void*) {
        const auto state = weak.lock();
        if (!state) return;
        one->slot = ::sd_bus_slot_unref(one->slot);
        state->watches.remove(one);
        state->arm();
    });
}

std::string_view error_name(const Error& error) {
    const bool from_there = error.code == Code::dbus_service || error.code == Code::no_server;
    return from_there && !error.context.empty() ? std::string_view(error.context.front())
                                                : std::string_view();
}

std::string system_address() {
    // secure_getenv: a program that got its privileges from its file does not listen to its caller
    const char* given = ::secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
    return given && *given ? given : "unix:path=/run/dbus/system_bus_socket";
}

} // namespace cloister::dbus
