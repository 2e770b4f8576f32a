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
#include <sys/uio.h>
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

using Write = LogSink;

/// One write, so that lines of several threads do not mix. A log that cannot be written has no reader.
void write_line(int fd, const std::string& text) { (void)!::write(fd, text.data(), text.size()); }

std::string dated(const LogLine& line) {
    return fmt::format("{} {}: {}\n", now(), word(line.level), escaped(line.text));
}

constexpr auto journal_socket = "/run/systemd/journal/socket";

/// With fields: `journalctl CLOISTER_DOMAIN=a`, `CLOISTER_LAYER=selinux`.
void to_journal_entry(const LogLine& line) {
    const auto& about = line.about;
    std::vector<std::string> fields{"MESSAGE=" + escaped(line.text),
                                    fmt::format("PRIORITY={}", priority(line.level)),
                                    fmt::format("CODE_FILE={}", line.source)};
    for (const auto& [name, value] :
         {std::pair("CLOISTER_DOMAIN=", &about.domain), std::pair("CLOISTER_UUID=", &about.uuid),
          std::pair("CLOISTER_LAYER=", &about.layer)})
        if (!value->empty()) fields.push_back(name + *value);
    std::vector<iovec> parts;
    for (auto& field : fields) parts.push_back({field.data(), field.size()});
    (void)::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())); // nobody is left to tell
}

Write to_stderr() {
    // systemd reads it: then the journal takes the fields, too.
    if (::secure_getenv("JOURNAL_STREAM") != nullptr && ::access(journal_socket, W_OK) == 0)
        return to_journal_entry;
    return [](const LogLine& line) { write_line(STDERR_FILENO, dated(line)); };
}

Result<Write> to_file(const std::string& path) {
    const auto file = std::make_shared<Fd>(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
    if (!*file) return std::unexpected(system_error(errno, tr("cannot open the log '{0}'", path)));
    return Write([file](const LogLine& line) { write_line(file->n(), dated(line)); });
}

/// openlog() keeps the pointer: the name lives as long as the process.
Write to_syslog(const std::string& name) {
    const auto kept = std::make_shared<std::string>(name);
    ::openlog(kept->c_str(), LOG_PID, LOG_DAEMON);
    return [kept](const LogLine& line) { ::syslog(priority(line.level), "%s", escaped(line.text).c_str()); };
}

Result<Write> to_journal() {
    if (::access(journal_socket, W_OK) < 0)
        return fail(Code::config_unsupported, tr("log_outputs: there is no systemd journal on this host"));
    return Write(to_journal_entry);
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
    set_log_sink([write = to_stderr()](const LogLine& line) {
        if (line.level >= LogLevel::warning) write(line);
    });
}

Result<> log_by(const LogRules& rules) {
    std::vector<std::pair<unsigned, Write>> outputs;
    for (const auto& output : rules.outputs) outputs.emplace_back(output.level, TRY(opened(output)));
    set_log_sink([rules, outputs = std::move(outputs)](const LogLine& line) {
        if (number_of(line.level) < least_level(rules, line.source)) return;
        for (const auto& [least, write] : outputs)
            if (number_of(line.level) >= least) write(line);
    });
    return {};
}

} // namespace cloister
