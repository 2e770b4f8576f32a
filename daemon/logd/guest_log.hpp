/// One guest's output on its way from the pipe into its log, line by line, escaped.
#pragma once

#include "daemon/logd/bounded_file.hpp"
#include "security/kernel/fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace cloister::logd {

/// A line that is longer is cut: what one guest can keep here is bounded.
inline constexpr std::size_t longest_line = 4096;

class GuestLog {
public:
    /// `pipe`: non-blocking.
    GuestLog(std::string name, Fd pipe, BoundedFile file)
        : name_(std::move(name)), pipe_(std::move(pipe)), file_(std::move(file)) {}

    const std::string& name() const { return name_; }
    int descriptor() const { return pipe_.n(); }
    bool has_pending() const { return !pending_.empty(); }
    /// Reads once, so that no guest keeps the others waiting. False: everybody who could write has gone.
    bool take();
    /// Everything that was in the pipe when it was called, whole lines or not.
    void drain();
    /// Writes what waits for the end of its line.
    void flush();

private:
    void add(std::string_view bytes);
    void write_line(std::string_view line);

    std::string name_;
    Fd pipe_;
    BoundedFile file_;
    std::string pending_{};
};

} // namespace cloister::logd
