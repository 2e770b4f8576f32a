#include "conf/settings/provenance.hpp"

#include <fmt/core.h>

namespace cloister {
namespace {

template <class Conf>
Error error_at(const Conf& conf, std::string_view key, std::string_view what, Code code) {
    const auto line = conf.lines.find(std::string(key));
    const auto where = line == conf.lines.end() ? conf.file : fmt::format("{}:{}", conf.file, line->second);
    return {
        .code = code, .message = fmt::format("{}: '{}': {}", where, key, what), .domain = ErrorDomain::conf};
}

} // namespace

std::string key_why(const QemuConf& conf, const std::string& key) {
    const auto line = conf.lines.find(key);
    if (line == conf.lines.end()) return fmt::format("qemu.conf {}", key);
    return fmt::format("{} line {}: {}", conf.file, line->second, key);
}

Error key_error(const QemuConf& conf, std::string_view key, std::string_view what, Code code) {
    return error_at(conf, key, what, code);
}
Error key_error(const DaemonConf& conf, std::string_view key, std::string_view what, Code code) {
    return error_at(conf, key, what, code);
}

} // namespace cloister
