#include "security/denial.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace cloister {
namespace {

constexpr std::size_t most_paths = 24; ///< what one death is worth

/// strerror() of LC_ALL=C, in which QEMU runs.
constexpr std::array<std::pair<std::string_view, int>, 5> reasons{{{"No such file or directory", ENOENT},
                                                                   {"Permission denied", EACCES},
                                                                   {"Operation not permitted", EPERM},
                                                                   {"Read-only file system", EROFS},
                                                                   {"Not a directory", ENOTDIR}}};

int reason_in(std::string_view line) {
    std::size_t latest = 0;
    int out = 0;
    for (const auto& [text, number] : reasons)
        if (const auto at = line.rfind(text); at != line.npos && at >= latest) {
            latest = at;
            out = number;
        }
    return out;
}

void add(std::vector<PathFacts>& out, PathFacts one) {
    // "/" and option texts that only begin like a path are no paths that one opens.
    if (one.path.size() < 2 || one.path.size() > 4095 || out.size() >= most_paths) return;
    const auto known = std::ranges::find(out, one.path, &PathFacts::path);
    if (known == out.end())
        out.push_back(std::move(one));
    else if (known->said == 0)
        known->said = one.said;
}

/// Absolute paths in a text: after a quote up to the same quote, otherwise up to what ends a word.
template <class Take> void each_path(std::string_view text, std::string_view ends, Take take) {
    for (std::size_t at = text.find('/'); at != text.npos; at = text.find('/', at)) {
        const char before = at == 0 ? ' ' : text[at - 1];
        const bool quoted = before == '\'' || before == '"';
        if (!quoted && std::string_view(" =:,(<").find(before) == std::string_view::npos) {
            ++at;
            continue;
        }
        auto end = quoted ? text.find(before, at) : text.find_first_of(ends, at);
        if (end == text.npos) end = text.size();
        take(text.substr(at, end - at));
        at = end;
        if (at >= text.size()) break;
    }
}

/// "a,,b" is how an option's value says "a,b".
std::string undoubled(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        out += text[i];
        if (text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',') ++i;
    }
    return out;
}

/// The parts of "k=v,k2=v2", commas doubled within a value.
std::vector<std::string> values_of(std::string_view text) {
    std::vector<std::string> out;
    std::size_t from = 0;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        if (at < text.size() && text[at] != ',') continue;
        if (at + 1 < text.size() && text[at + 1] == ',') {
            ++at;
            continue;
        }
        out.push_back(undoubled(text.substr(from, at - from)));
        from = at + 1;
    }
    return out;
}

void paths_of_json(const boost::json::value& value, const std::string& why, std::vector<PathFacts>& out) {
    if (const auto* text = value.if_string(); text && text->starts_with('/'))
        add(out, {.path = std::string(*text), .why = why});
    if (const auto* object = value.if_object())
        for (const auto& member : *object) paths_of_json(member.value(), why, out);
    if (const auto* array = value.if_array())
        for (const auto& one : *array) paths_of_json(one, why, out);
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

} // namespace

std::vector<PathFacts> paths_in(std::string_view words) {
    std::vector<PathFacts> out;
    while (!words.empty()) {
        const auto end = std::min(words.find('\n'), words.size());
        const auto line = words.substr(0, end);
        words.remove_prefix(std::min(end + 1, words.size()));
        const int said = reason_in(line);
        each_path(line, " ,:;)'\"",
                  [&](std::string_view path) { add(out, {.path = std::string(path), .said = said}); });
    }
    return out;
}

std::vector<PathFacts> paths_in(const LaunchPlan& plan) {
    std::vector<PathFacts> out;
    for (const auto& item : plan.items) {
        if (const auto* object = std::get_if<boost::json::object>(&item.value))
            paths_of_json(*object, item.why, out);
        const auto* text = std::get_if<std::string>(&item.value);
        if (text == nullptr) continue;
        for (const auto& part : values_of(*text)) {
            const auto equal = part.find('=');
            auto value = equal == part.npos ? part : part.substr(equal + 1);
            for (const std::string_view scheme : {"file:", "unix:"})
                if (value.starts_with(scheme)) value.erase(0, scheme.size());
            if (value.starts_with('/')) add(out, {.path = value, .why = item.why});
        }
    }
    return out;
}

std::string spawner_in(const LaunchPlan& plan) {
    for (const auto& item : plan.items) {
        const auto* text = std::get_if<std::string>(&item.value);
        if (text == nullptr) continue;
        const auto parts = values_of(*text);
        const auto given = [&](std::string_view key) { // its value, when the option has it
            const auto at = std::ranges::find_if(parts, [&](const std::string& part) {
                return part.starts_with(key) && part[key.size()] == '=';
            });
            return at == parts.end() ? std::string() : at->substr(key.size() + 1);
        };
        const auto script = given("script");
        // A tap without a word about scripts runs /etc/qemu-ifup.
        const bool tap =
            parts.front() == "tap" && script.empty() && given("fd").empty() && given("fds").empty();
        const bool bridge = parts.front() == "bridge" || !given("helper").empty();
        if (tap || bridge || (!script.empty() && script != "no") || parts.front().starts_with("exec:"))
            return item.why;
    }
    return {};
}

std::vector<std::string> refused_by_apparmor(std::string_view kernel_log, std::string_view profile) {
    // … apparmor="DENIED" operation="open" profile="cloister-…" name="/a/b" pid=…; a name with odd bytes
    // stands there in hexadecimal and without quotes, and is left out.
    std::vector<std::string> out;
    const auto whose = " profile=\"" + std::string(profile) + "\"";
    constexpr std::string_view key = " name=\"";
    while (!kernel_log.empty()) {
        const auto end = std::min(kernel_log.find('\n'), kernel_log.size());
        const auto line = kernel_log.substr(0, end);
        kernel_log.remove_prefix(std::min(end + 1, kernel_log.size()));
        if (!has(line, "apparmor=\"DENIED\"") || !has(line, whose)) continue;
        const auto at = line.find(key);
        if (at == line.npos) continue;
        const auto name = line.substr(at + key.size());
        out.emplace_back(name.substr(0, name.find('"')));
    }
    return out;
}

std::optional<int> syscall_in(std::string_view kernel_log, std::int32_t pid) {
    const auto number_after = [](std::string_view line, std::string_view key) -> std::optional<int> {
        const auto at = line.find(key);
        int out = 0;
        if (at == line.npos ||
            std::from_chars(line.data() + at + key.size(), line.data() + line.size(), out).ec != std::errc{})
            return std::nullopt;
        return out;
    };
    std::optional<int> out;
    while (!kernel_log.empty()) {
        const auto end = std::min(kernel_log.find('\n'), kernel_log.size());
        const auto line = kernel_log.substr(0, end);
        kernel_log.remove_prefix(std::min(end + 1, kernel_log.size()));
        if (!has(line, "type=1326 ") || !has(line, " sig=31 ") || number_after(line, " pid=") != pid)
            continue;
        out = number_after(line, " syscall="); // the last one: pids are used again
    }
    return out;
}

} // namespace cloister
