#include "client/verb.hpp"
#include "conf/base/tr.hpp"

#include <array>
#include <cerrno>
#include <iostream>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace cloister::client {
namespace {

/// The terminal without line editing and echo; as it was when destroyed. Not a terminal: nothing.
class RawTerminal {
public:
    RawTerminal() {
        if (::tcgetattr(STDIN_FILENO, &before_) < 0) return;
        is_terminal_ = true;
        auto raw = before_;
        ::cfmakeraw(&raw);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal() {
        if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }

private:
    termios before_{};
    bool is_terminal_ = false;
};

constexpr char escape = 0x1d; // ^]

void show(std::span<const std::byte> bytes) {
    std::cout.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    std::cout.flush();
}

} // namespace

Result<> join_console(Connection& connection) {
    const RawTerminal raw;
    bool typing = true;
    for (;;) {
        std::array<pollfd, 2> waiting{{{.fd = connection.descriptor(), .events = POLLIN, .revents = 0},
                                       {.fd = typing ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}}};
        if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
            return std::unexpected(system_error(errno, tr("waiting for the console failed")));
        if (waiting[0].revents) {
            const auto bytes = TRY(connection.stream_receive());
            if (!bytes) return {};
            show(*bytes);
        }
        if (!waiting[1].revents) continue;
        std::array<char, 4096> typed{};
        const auto n = ::read(STDIN_FILENO, typed.data(), typed.size());
        if (n <= 0) { // the input is used up: go on listening until the guest ends
            typing = false;
            continue;
        }
        const std::string_view text(typed.data(), static_cast<std::size_t>(n));
        const auto end = text.find(escape);
        const auto before = text.substr(0, end);
        if (!before.empty()) TRY(connection.stream_send(std::as_bytes(std::span(before))));
        if (end != std::string_view::npos) return connection.stream_finish();
    }
}

} // namespace cloister::client
