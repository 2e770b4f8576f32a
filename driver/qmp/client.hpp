/// The conversation with one QEMU over its monitor socket. Reactor thread only.
#pragma once

#include "conf/base/result.hpp"
#include "driver/op/call.hpp"
#include "driver/qmp/wire.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// What the owner of a monitor wants to hear. Called on the reactor, one at a time, in QEMU's order; a hook
/// may close or drop the monitor.
struct MonitorHooks {
    /// Every event, also those that nobody decodes.
    std::function<void(std::string name, boost::json::object data, qmp::EventTime at)> on_event{};
    /// Once, when QEMU ended the conversation or broke its rules; not after close(), and not when connect()
    /// fails. Everything that waited has already been given the same error.
    std::function<void(Error why)> on_closed{};
};

/// Commands may be sent without waiting for the answers to earlier ones: QEMU runs them in order, answers are
/// matched by id. Every wait ends: with the answer, at its deadline, or when the conversation ends.
class Monitor {
    struct State;
    struct Pending;

public:
    static constexpr std::chrono::milliseconds patience{30'000};

    /// Connects to the UNIX socket `path` (of any length), reads the greeting and negotiates.
    /// Errors: system when nothing listens there, operation_timeout, internal when what listens is no QEMU.
    static Task<Result<std::shared_ptr<Monitor>>> connect(std::string path, MonitorHooks hooks,
                                                          std::chrono::milliseconds within = patience);
    /// The same over a socket that is connected already; the monitor owns `fd` from here on.
    static Task<Result<std::shared_ptr<Monitor>>> adopt(int fd, MonitorHooks hooks,
                                                        std::chrono::milliseconds within = patience);
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    /// What QEMU returns. `fds` go with the command (getfd, add-fd); the caller still owns and closes them,
    /// and may do so as soon as this has been awaited. Errors: internal "unable to execute QEMU command
    /// 'NAME': …" (see error_class), operation_timeout, or why the conversation ended.
    Task<Result<boost::json::value>> execute(std::string command, boost::json::object arguments,
                                             std::chrono::milliseconds within = patience,
                                             std::vector<int> fds = {});
    Task<Result<boost::json::value>> execute(std::string command);

    /// A command that the caller will await later: sent now. Await each at most once.
    class Sent;
    Sent send(std::string command, boost::json::object arguments = {},
              std::chrono::milliseconds within = patience, std::vector<int> fds = {});

    /// Ends the conversation; everything that waits gets `why` at once.
    void close(Error why);
    bool closed() const;
    /// Of the greeting: major*1000000 + minor*1000 + micro.
    std::uint32_t qemu_version() const;

private:
    explicit Monitor(std::shared_ptr<State> state);
    static Task<Result<std::shared_ptr<Monitor>>> negotiated(std::shared_ptr<State> state, MonitorHooks hooks,
                                                             std::chrono::steady_clock::time_point until);
    std::shared_ptr<State> state_;
};

/// The answer to a command that is under way.
class [[nodiscard]] Monitor::Sent {
public:
    Task<Result<boost::json::value>> answer();

private:
    friend class Monitor;
    Sent(std::shared_ptr<State> state, std::shared_ptr<Pending> pending, std::string command)
        : state_(std::move(state)), pending_(std::move(pending)), command_(std::move(command)) {}
    std::shared_ptr<State> state_;
    std::shared_ptr<Pending> pending_;
    std::string command_;
};

namespace qmp {
/// QEMU's class of a command's error ("DeviceNotFound", "CommandNotFound", "GenericError"); empty when the
/// error is not QEMU's.
std::string_view error_class(const Error& error);
} // namespace qmp

} // namespace cloister
