#include "daemon/dbus/paths.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace cloister::dbus {
namespace {

constexpr std::size_t uuid_size = 36;

std::string uuid_element(const Uuid& uuid) {
    auto out = "_" + printed(uuid);
    std::ranges::replace(out, '-', '_');
    return out;
}

/// Exactly what uuid_element() makes, in any case of letters.
std::optional<Uuid> uuid_in(std::string_view element) {
    if (element.size() != uuid_size + 1 || element.front() != '_') return std::nullopt;
    std::string text(element.substr(1));
    std::ranges::replace(text, '_', '-');
    return parse_uuid(text);
}

bool plain(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// What of `path` is below `folder`; nothing when it is elsewhere.
std::optional<std::string_view> below(std::string_view path, std::string_view folder) {
    if (!path.starts_with(folder) || path.size() <= folder.size() + 1 || path[folder.size()] != '/')
        return std::nullopt;
    return path.substr(folder.size() + 1);
}

} // namespace

std::string domain_path(const Uuid& uuid) { return std::string(domain_folder) + "/" + uuid_element(uuid); }

std::string snapshot_path(const Uuid& domain, std::string_view name) {
    return std::string(snapshot_folder) + "/" + uuid_element(domain) + "_" + escaped_element(name);
}

Place place_of(std::string_view path) {
    using enum Place::Kind;
    if (path == connect_path) return {connect};
    if (path == domain_folder) return {domains};
    if (path == snapshot_folder) return {snapshots};
    if (path == cloister_path) return {cloister};
    if (const auto element = below(path, domain_folder)) return {domain, uuid_in(*element)};
    if (const auto element = below(path, snapshot_folder)) {
        constexpr auto head = uuid_size + 1;
        const auto name = element->size() > head + 1 && (*element)[head] == '_'
                              ? unescaped_element(element->substr(head + 1))
                              : std::nullopt;
        if (!name) return {snapshot};
        return {snapshot, uuid_in(element->substr(0, head)), *name};
    }
    return {};
}

std::string escaped_element(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (plain(c))
            out += c;
        else
            out += fmt::format("_{:02x}", static_cast<unsigned char>(c));
    return out;
}

std::optional<std::string> unescaped_element(std::string_view element) {
    std::string out;
    for (std::size_t i = 0; i < element.size(); ++i) {
        if (element[i] != '_') {
            out += element[i];
            continue;
        }
        unsigned byte = 0;
        if (i + 2 >= element.size()) return std::nullopt;
        const auto* first = element.data() + i + 1;
        const auto [end, error] = std::from_chars(first, first + 2, byte, 16);
        if (error != std::errc() || end != first + 2) return std::nullopt;
        out += static_cast<char>(byte);
        i += 2;
    }
    return out;
}

} // namespace cloister::dbus
