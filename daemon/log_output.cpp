#include "daemon/log_output.hpp"

#include <array>
#include <cstdlib>
#include <ctime>
#include <fmt/core.h>
#include <string>
#include <unistd.h>

namespace cloister {
namespace {

std::string_view word(LogLevel level) {
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    }
    return "error";
}

int priority(LogLevel level) {
    switch (level) {
    case LogLevel::debug: return 7;
    case LogLevel::info: return 6;
    case LogLevel::warning: return 4;
    case LogLevel::error: return 3;
    }
    return 3;
}

/// Guests and clients can put anything into a name: a line of the log stays one line.
std::string escaped(std::string_view line) {
    std::string out;
    for (const char c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else
            out += c;
    return out;
}

std::string now() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    tm parts{};
    ::gmtime_r(&time.tv_sec, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%FT%T", &parts);
    return fmt::format("{}.{:03}Z", std::string_view(text.data(), size), time.tv_nsec / 1'000'000);
}

} // namespace

LogLevel level_of(unsigned number) {
    if (number <= 1) return LogLevel::debug;
    if (number == 2) return LogLevel::info;
    return number == 3 ? LogLevel::warning : LogLevel::error;
}

void log_to_stderr(LogLevel lowest) {
    const bool journal = ::secure_getenv("JOURNAL_STREAM") != nullptr;
    set_log_sink([lowest, journal](LogLevel level, std::string_view line) {
        if (level < lowest) return;
        const auto text = journal ? fmt::format("<{}>{}\n", priority(level), escaped(line))
                                  : fmt::format("{} {}: {}\n", now(), word(level), escaped(line));
        // One write, so that lines of several threads do not mix. A log that cannot be written has no reader.
        (void)!::write(STDERR_FILENO, text.data(), text.size());
    });
}

} // namespace cloister
