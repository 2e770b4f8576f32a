#include "driver/log.hpp"

#include <cstdio>
#include <mutex>

namespace cloister {

namespace {

struct Sink {
    std::mutex guard{};
    LogSink write{};
};

/// Made at first use: no static object has a constructor that runs before main.
Sink& sink() {
    static Sink the_one;
    return the_one;
}

} // namespace

void log(LogLevel level, std::string_view line, std::source_location where) { log(level, {}, line, where); }

void log(LogLevel level, const LogSubject& about, std::string_view line, std::source_location where) {
    auto& to = sink();
    const std::scoped_lock lock(to.guard);
    if (to.write)
        to.write({level, where.file_name(), line, about});
    else
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

void set_log_sink(LogSink write) {
    auto& to = sink();
    const std::scoped_lock lock(to.guard);
    to.write = std::move(write);
}

} // namespace cloister
