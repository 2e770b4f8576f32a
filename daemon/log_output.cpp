#include "daemon/log_output.hpp"

#include "conf/base/tr.hpp"
#include "driver/log.hpp"
#include "security/kernel/fd.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <fmt/core.h>
#include <functional>
#include <memory>
#include <string>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>
#include <utility>
#include <vector>

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

using Write = std::function<void(LogLevel, std::string_view, std::string_view)>;

/// One write, so that lines of several threads do not mix. A log that cannot be written has no reader.
void write_line(int fd, const std::string& text) { (void)!::write(fd, text.data(), text.size()); }

std::string dated(LogLevel level, std::string_view line) {
    return fmt::format("{} {}: {}\n", now(), word(level), escaped(line));
}

Write to_stderr() {
    const bool journal = ::secure_getenv("JOURNAL_STREAM") != nullptr;
    return [journal](LogLevel level, std::string_view, std::string_view line) {
        write_line(STDERR_FILENO,
                   journal ? fmt::format("<{}>{}\n", priority(level), escaped(line)) : dated(level, line));
    };
}

Result<Write> to_file(const std::string& path) {
    const auto file = std::make_shared<Fd>(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
    if (!*file) return std::unexpected(system_error(errno, tr("cannot open the log '{0}'", path)));
    return Write([file](LogLevel level, std::string_view, std::string_view line) {
        write_line(file->n(), dated(level, line));
    });
}

/// openlog() keeps the pointer: the name lives as long as the process.
Write to_syslog(const std::string& name) {
    const auto kept = std::make_shared<std::string>(name);
    ::openlog(kept->c_str(), LOG_PID, LOG_DAEMON);
    return [kept](LogLevel level, std::string_view, std::string_view line) {
        ::syslog(priority(level), "%s", escaped(line).c_str());
    };
}

Result<Write> to_journal() {
    if (::access("/run/systemd/journal/socket", W_OK) < 0)
        return fail(Code::config_unsupported, tr("log_outputs: there is no systemd journal on this host"));
    return Write([](LogLevel level, std::string_view source, std::string_view line) {
        (void)::sd_journal_send("MESSAGE=%s", escaped(line).c_str(), "PRIORITY=%i", priority(level),
                                "CODE_FILE=%s", std::string(source).c_str(), nullptr);
    });
}

Result<Write> opened(const LogOutput& output) {
    switch (output.place) {
    case LogPlace::stderr_: return to_stderr();
    case LogPlace::file: return to_file(output.name);
    case LogPlace::syslog: return to_syslog(output.name);
    case LogPlace::journald: return to_journal();
    }
    return to_stderr();
}

unsigned number_of(LogLevel level) { return static_cast<unsigned>(level) + 1; }

} // namespace

void log_to_stderr() {
    set_log_sink([write = to_stderr()](LogLevel level, std::string_view source, std::string_view line) {
        if (level >= LogLevel::warning) write(level, source, line);
    });
}

Result<> log_by(const LogRules& rules) {
    std::vector<std::pair<unsigned, Write>> outputs;
    for (const auto& output : rules.outputs) outputs.emplace_back(output.level, TRY(opened(output)));
    set_log_sink([rules, outputs = std::move(outputs)](LogLevel level, std::string_view source,
                                                       std::string_view line) {
        if (number_of(level) < least_level(rules, source)) return;
        for (const auto& [least, write] : outputs)
            if (number_of(level) >= least) write(level, source, line);
    });
    return {};
}

} // namespace cloister
