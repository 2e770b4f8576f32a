#include "driver/probe/sysfs.hpp"

#include <algorithm>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace cloister {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

template <class T> std::optional<T> leading_number(std::string_view text) {
    text = trimmed(text);
    T out{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end != text.data() ? std::optional(out) : std::nullopt;
}

} // namespace

std::optional<std::string> file_text(const std::string& path, std::size_t most) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return std::nullopt;
    std::string out;
    while (out.size() < most) {
        const auto was = out.size();
        out.resize(std::min(most, was + 16384));
        const auto n = ::read(fd, out.data() + was, out.size() - was);
        out.resize(was + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        if (n <= 0) {
            ::close(fd);
            return n < 0 ? std::nullopt : std::optional(std::move(out));
        }
    }
    ::close(fd);
    return out;
}

std::string file_line(const std::string& path) {
    const auto text = file_text(path, 65536).value_or("");
    return std::string(trimmed(std::string_view(text).substr(0, text.find('\n'))));
}

std::optional<std::uint64_t> file_number(const std::string& path) {
    const auto line = file_line(path);
    if (!line.starts_with("0x")) return leading_number<std::uint64_t>(line);
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(line.data() + 2, line.data() + line.size(), out, 16);
    return error == std::errc() && end != line.data() + 2 ? std::optional(out) : std::nullopt;
}

std::vector<unsigned> number_list(std::string_view text) {
    std::vector<unsigned> out;
    for (const auto part : split(trimmed(text), ',')) {
        const auto first = leading_number<unsigned>(part);
        if (!first) continue;
        const auto dash = part.find('-');
        const auto last =
            dash == std::string_view::npos ? first : leading_number<unsigned>(part.substr(dash + 1));
        for (auto n = *first; last && n <= *last && n < 65536; ++n) out.push_back(n);
    }
    return out;
}

std::vector<std::string> entries(const std::string& folder) {
    std::vector<std::string> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
    while (const auto* one =
               open ? ::readdir(open.get()) : nullptr) // NOLINT(concurrency-mt-unsafe): its own stream
        if (const std::string_view name = one->d_name; name != "." && name != "..") out.emplace_back(name);
    std::ranges::sort(out);
    return out;
}

std::optional<std::uint64_t> field(std::string_view text, std::string_view name) {
    for (const auto line : split(text, '\n')) {
        const auto own = trimmed(line);
        if (!own.starts_with(name)) continue;
        auto rest = own.substr(name.size());
        if (rest.empty() || (rest[0] != ':' && rest[0] != ' ' && rest[0] != '\t')) continue;
        return leading_number<std::uint64_t>(trimmed(rest.substr(
            rest.find_first_not_of(": \t") == std::string_view::npos ? rest.size()
                                                                     : rest.find_first_not_of(": \t"))));
    }
    return std::nullopt;
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = text.find(at);
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return out;
}

} // namespace cloister
