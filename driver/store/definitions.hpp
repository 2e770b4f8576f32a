/// Stored definitions, NAME.xml, and their autostart links. Blocking: run on a worker.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister::store {

/// One stored definition as found on disk.
struct DefinitionText {
    std::string file_name{}; ///< without ".xml": usually, not always, the domain's name
    std::string path{};
    std::string text{};
    bool autostart = false;
    bool bounded = false; ///< the heading says so, see definition_text()
    bool operator==(const DefinitionText&) const = default;
};

/// A file that could not be read.
struct Unreadable {
    std::string path{};
    Error why{};
};

struct Definitions {
    std::vector<DefinitionText> found{};
    std::vector<Unreadable> unreadable{};
};

std::string definition_path(const Folders& folders, std::string_view name);
std::string autostart_path(const Folders& folders, std::string_view name);
/// Errors: operation_invalid for names that are no file name of ours ("..", too long).
Result<> check_name(std::string_view name);
/// `xml` below the comment that warns against editing by hand. `bounded`: a client other than root has given
/// it, which the comment says, too, because a daemon that comes later must know it.
std::string definition_text(std::string_view name, std::string_view xml, bool bounded = false);

/// Everything below folders.definitions, in the order of the file names. Other files are left alone.
Definitions load_definitions(const Folders& folders);
Result<> save_definition(const Folders& folders, const std::string& name, const std::string& xml,
                         bool bounded);
/// The file and the autostart link; fine when they are not there.
Result<> remove_definition(const Folders& folders, const std::string& name);
/// An absolute link to the definition, or none.
Result<> save_autostart(const Folders& folders, const std::string& name, bool on);

} // namespace cloister::store
