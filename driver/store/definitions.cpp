#include "driver/store/definitions.hpp"

#include "conf/base/tr.hpp"
#include "driver/store/files.hpp"

#include <cerrno>
#include <climits>
#include <fmt/core.h>
#include <unistd.h>

namespace cloister::store {

namespace {

constexpr std::string_view suffix = ".xml";

/// XML forbids "--" inside a comment and "-" at its end.
bool fits_comment(std::string_view name) {
    return name.find("--") == std::string_view::npos && !name.ends_with('-');
}

constexpr std::string_view bounded_says =
    "A client other than root has given it: at every start all that it names must be within\nallowed_paths. "
    "Whoever defines it again as root takes that bound away.\n";

bool says_bounded(std::string_view text) {
    return text.starts_with("<!--") &&
           text.substr(0, text.find("-->")).find(bounded_says) != std::string_view::npos;
}

} // namespace

std::string definition_path(const Folders& folders, std::string_view name) {
    return fmt::format("{}/{}.xml", folders.definitions, name);
}
std::string autostart_path(const Folders& folders, std::string_view name) {
    return fmt::format("{}/{}.xml", folders.autostart, name);
}

Result<> check_name(std::string_view name) {
    constexpr std::size_t longest_suffix = std::string_view(".xml.new").size();
    if (name == "." || name == ".." || name.find('/') != std::string_view::npos)
        return fail(Code::xml, tr("name '{0}' cannot be the name of a file", name));
    if (name.size() + longest_suffix > NAME_MAX)
        return fail(Code::xml, tr("name of {0} bytes is too long: {1} are allowed", name.size(),
                                  NAME_MAX - longest_suffix));
    return {};
}

std::string definition_text(std::string_view name, std::string_view xml, bool bounded) {
    return fmt::format(
        "<!--\ncloisterd writes this file and overwrites it without asking. Change the domain with\n"
        "  virsh edit {}\nor with any other libvirt client.\n{}-->\n\n{}",
        fits_comment(name) ? name : "DOMAIN", bounded ? bounded_says : std::string_view(), xml);
}

Definitions load_definitions(const Folders& folders) {
    Definitions out;
    for (const auto& name : names_in(folders.definitions)) {
        if (!name.ends_with(suffix) || name.starts_with('.')) continue;
        const auto path = folders.definitions + "/" + name;
        auto text = read_file(path);
        if (!text) {
            out.unreadable.push_back({path, std::move(text).error()});
            continue;
        }
        const bool bounded = says_bounded(*text);
        out.found.push_back({.file_name = name.substr(0, name.size() - suffix.size()),
                             .path = path,
                             .text = std::move(*text),
                             .autostart = exists(folders.autostart + "/" + name),
                             .bounded = bounded});
    }
    return out;
}

Result<> save_definition(const Folders& folders, const std::string& name, const std::string& xml,
                         bool bounded) {
    TRY(check_name(name));
    TRY(make_folder(folders.definitions));
    return write_file(definition_path(folders, name), definition_text(name, xml, bounded));
}

Result<> remove_definition(const Folders& folders, const std::string& name) {
    TRY(remove_file(autostart_path(folders, name)));
    return remove_file(definition_path(folders, name));
}

Result<> save_autostart(const Folders& folders, const std::string& name, bool on) {
    const auto link = autostart_path(folders, name);
    if (!on) return remove_file(link);
    TRY(make_folder(folders.autostart));
    const auto target = definition_path(folders, name);
    TRY(remove_file(link));
    if (::symlink(target.c_str(), link.c_str()) < 0)
        return std::unexpected(
            system_error(errno, tr("cannot make the autostart link '{0}' to '{1}'", link, target)));
    return {};
}

} // namespace cloister::store
