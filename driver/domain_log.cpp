#include "driver/domain_log.hpp"

#include "conf/base/escaped.hpp"

#include <ctime>
#include <fmt/core.h>

namespace cloister {

namespace {

constexpr std::string_view version = "0.1.0";

bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("%+,-./:=@_").find(c) != std::string_view::npos;
}

std::string stamp(std::chrono::system_clock::time_point at) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}+0000", utc.tm_year + 1900, utc.tm_mon + 1,
                       utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

} // namespace

std::string shell_quoted(std::string_view word) {
    bool quote = word.empty();
    for (const char c : word) quote = quote || !plain(c);
    if (!quote) return std::string(word);
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

std::string log_line(std::chrono::system_clock::time_point at, std::string_view text) {
    return fmt::format("{}: {}\n", stamp(at), escaped(text));
}

std::string log_header(std::chrono::system_clock::time_point at, const LogHeader& header,
                       const LaunchPlan& plan, const std::vector<std::string>& argv) {
    auto out = log_line(
        at, fmt::format("starting up cloister version: {}, qemu version: {}, kernel: {}, hostname: {}",
                        version, header.qemu_version, header.kernel, header.hostname));
    for (const auto& variable : plan.env)
        out += fmt::format("{}={} \\\n", variable.name, shell_quoted(variable.value));
    for (std::size_t i = 0; i < argv.size(); ++i) {
        if (i > 0) out += argv[i].starts_with('-') ? " \\\n" : " ";
        out += shell_quoted(argv[i]);
    }
    out += '\n';
    for (const auto& taint : plan.taints)
        out += log_line(at, fmt::format("Domain id={} is tainted: {}", plan.id, taint));
    return out;
}

} // namespace cloister
