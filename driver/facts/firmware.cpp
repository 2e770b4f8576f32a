#include "driver/facts/firmware.hpp"

#include "conf/base/tr.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

namespace cloister {

namespace json = boost::json;

namespace {

std::string text(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    return found && found->is_string() ? std::string(found->get_string()) : std::string();
}
const json::object* object(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    return found ? found->if_object() : nullptr;
}
std::vector<std::string> texts(const json::object& in, std::string_view key) {
    std::vector<std::string> out;
    if (const auto* found = in.if_contains(key); found && found->is_array())
        for (const auto& one : found->get_array())
            if (one.is_string()) out.emplace_back(one.get_string());
    return out;
}

void read_mapping(const json::object& mapping, Firmware& out) {
    out.mapping = text(mapping, "device");
    out.memory_filename = text(mapping, "filename");
    if (out.mapping == "flash") {
        out.mode = text(mapping, "mode");
        if (out.mode.empty()) out.mode = "split"; // what the mode is when none is written
    }
    if (const auto* code = object(mapping, "executable")) {
        out.executable = text(*code, "filename");
        out.executable_format = text(*code, "format");
    }
    if (const auto* vars = object(mapping, "nvram-template")) {
        out.nvram_template = text(*vars, "filename");
        out.nvram_template_format = text(*vars, "format");
    }
}

} // namespace

Result<Firmware> firmware_from(std::string_view path, std::string_view content) {
    boost::system::error_code error;
    const auto value = json::parse(content, error);
    const auto* root = error ? nullptr : value.if_object();
    const auto* mapping = root ? object(*root, "mapping") : nullptr;
    if (!mapping) return fail(Code::internal, tr("'{0}' is no firmware descriptor", path));
    Firmware out{.descriptor = std::string(path), .interfaces = texts(*root, "interface-types")};
    read_mapping(*mapping, out);
    if (const auto* targets = root->if_contains("targets"); targets && targets->is_array())
        for (const auto& one : targets->get_array())
            if (one.is_object())
                for (auto& machine : texts(one.get_object(), "machines"))
                    out.targets[text(one.get_object(), "architecture")].push_back(std::move(machine));
    out.features = texts(*root, "features");
    const bool complete =
        (out.mapping == "flash" && !out.executable.empty()) ||
        ((out.mapping == "memory" || out.mapping == "kernel") && !out.memory_filename.empty());
    if (!complete || out.interfaces.empty() || out.targets.empty())
        return fail(Code::internal, tr("'{0}' is no firmware descriptor", path));
    return out;
}

MergedFirmware merged_firmware(const std::vector<FirmwareFolder>& folders) {
    std::map<std::string, std::pair<std::string, std::string_view>> files; // name -> (path, content)
    for (const auto& folder : folders)
        for (const auto& [name, content] : folder.files)
            if (name.ends_with(".json") && !name.starts_with('.'))
                files[name] = {folder.path + "/" + name, content};
    MergedFirmware out;
    for (const auto& [name, file] : files) {
        if (file.second.empty()) continue;
        if (auto one = firmware_from(file.first, file.second))
            out.firmware.push_back(*std::move(one));
        else
            out.warnings.push_back(one.error().message);
    }
    return out;
}

} // namespace cloister
