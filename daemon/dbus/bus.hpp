/// One connection to a message bus, on the reactor: no thread, no blocking call. Reactor thread only. A host
/// without a bus is no error: calls fail with no_connect until there is one.
#pragma once

#include "conf/base/result.hpp"
#include "daemon/dbus/message.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct sd_bus;

namespace cloister::dbus {

template <class T> using Task = boost::asio::awaitable<T>;

class Bus : public std::enable_shared_from_this<Bus> {
    struct State;

public:
    /// Somebody who lives on the bus. Every function may be empty.
    struct Resident {
        /// A new connection, before it speaks: the place for filters and objects. Its slots go with it.
        std::function<void(sd_bus& bus)> made{};
        /// The bus has accepted us, and has ended. Called in turns, `up` first; `down` not by close().
        std::function<void()> up{}, down{};
    };
    using OnSignal = std::function<void(const Message& signal)>;
    /// Owns what was asked for: ends it when destroyed. May outlive the bus.
    using Token = std::shared_ptr<void>;

    /// `address` in the bus's own notation ("unix:path=/run/…"); empty: there will never be a bus.
    Bus(boost::asio::any_io_executor on, std::string address);
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    /// Connects now, or when the bus appears; again whenever it has gone away.
    void start();
    /// Sends what is queued, as far as the socket takes it, and lets go; calls in progress end with
    /// operation_aborted.
    void close();
    bool up() const;
    /// Our unique name (":1.5"); empty while there is no bus.
    std::string unique_name() const;
    boost::asio::any_io_executor executor() const;

    /// A call to be filled. Errors: no_connect without a bus, internal for ill-formed names.
    Result<Message> method(const std::string& destination, const std::string& path,
                           const std::string& interface, const std::string& member) const;
    /// A signal to be filled. Errors: likewise.
    Result<Message> signal(const std::string& path, const std::string& interface,
                           const std::string& member) const;
    /// Sends a call and waits for its reply. Ends early when the awaiting coroutine is cancelled.
    /// Errors: no_connect (no bus, or it ended meanwhile), operation_timeout, operation_aborted (cancelled);
    /// no_server when nobody serves the destination; dbus_service for every other error of the other side,
    /// whose text is the message and whose D-Bus name is error_name().
    Task<Result<Message>> call(Message request, std::chrono::milliseconds patience);
    /// Sends a reply or a signal. Errors: no_connect.
    Result<> send(const Message& message);

    /// From now on, and over reconnects. Of a resident that comes late, `made` is called for the connection
    /// that is there.
    [[nodiscard]] Token move_in(Resident resident);
    /// `match` in D-Bus's notation, see the specification's "Match Rules".
    [[nodiscard]] Token watch(std::string match, OnSignal on_signal);

private:
    std::shared_ptr<State> state_;
};

/// The D-Bus name of an error that call() gave ("org.freedesktop.machine1.NoSuchMachine"); empty: none.
std::string_view error_name(const Error& error);

/// Where the system bus is: DBUS_SYSTEM_BUS_ADDRESS, or the usual socket.
std::string system_address();

} // namespace cloister::dbus
