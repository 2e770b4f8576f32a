#include "driver/plan/named.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace cloister {
namespace {

constexpr std::array guests_own = {"metadata", "title",   "description", "target",  "cmdline",
                                   "resource", "cpu",     "alias",       "address", "genid",
                                   "vendor",   "product", "name",        "perf"};
/// Elements whose text is a path. A relative one would be of the daemon's folder, which is the root.
constexpr std::array path_texts = {"kernel", "initrd", "dtb",  "loader",  "nvram",
                                   "table",  "block",  "char", "backend", "database"};
constexpr std::array path_attributes = {"file", "dir", "path", "socket", "evdev", "template"};

bool one_of(const auto& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
}

void add_once(std::vector<std::string>& to, const std::string& value) {
    if (std::ranges::find(to, value) == to.end()) to.push_back(value);
}

void take_seclabel(const xml::Node& node, NamedThings& out) {
    const auto* type = node.attribute("type");
    const auto* model = node.attribute("model");
    if (type && *type == "none") out.unlabelled = true;
    if (model && *model != "dac") return;
    if (const auto* label = node.child("label")) out.labels.push_back(label->text);
}

void take_attributes(const xml::Node& node, NamedThings& out) {
    const auto *pool = node.attribute("pool"), *volume = node.attribute("volume");
    if (node.name == "source" && pool && volume) out.volumes.emplace_back(*pool, *volume);
    const bool network = node.name == "source" && node.attribute("protocol");
    for (const auto& [name, value, ns, prefix] : node.attributes) {
        if (network && (name == "name" || name == "query")) continue;
        if (value.starts_with('/'))
            add_once(out.paths, value);
        else if (!value.empty() &&
                 (one_of(path_attributes, name) || (name == "dev" && value.find('/') != std::string::npos)))
            out.relative.push_back(value);
    }
}

void take(const xml::Node& node, NamedThings& out) {
    if (node.kind != xml::Node::Kind::element) return;
    if (!node.ns.empty()) out.passthrough = true;
    if (node.ns.empty() && one_of(guests_own, node.name)) return;
    if (node.name == "seclabel") take_seclabel(node, out);
    take_attributes(node, out);
    // <serial> has a text where it is a disk's, <entry> one of the firmware's tables.
    const bool text_counts = node.name != "serial" && node.name != "entry";
    if (text_counts && node.text.starts_with('/'))
        add_once(out.paths, node.text);
    else if (one_of(path_texts, node.name) && !node.text.empty())
        out.relative.push_back(node.text);
    for (const auto& child : node.children) {
        if (node.name == "devices" && child.name == "emulator" && child.ns.empty())
            out.emulator = child.text;
        else
            take(child, out);
    }
}

} // namespace

NamedThings named(const xml::Node& root) {
    NamedThings out;
    take(root, out);
    return out;
}

bool names_root(std::string_view label) {
    const auto is_root = [](std::string_view who) {
        if (who == "root") return true;
        if (who.starts_with('+')) who.remove_prefix(1);
        return !who.empty() && who.find_first_not_of('0') == who.npos; // "0", however it is written
    };
    const auto colon = label.find(':');
    const auto group = colon == std::string_view::npos ? std::string_view() : label.substr(colon + 1);
    return is_root(label.substr(0, colon)) || is_root(group);
}

Bounds bounds(const NamedThings& what, const HostFacts& facts, const std::vector<std::string>& allowed) {
    std::set<std::string> paths(what.paths.begin(), what.paths.end());
    for (const auto& [pool, name] : what.volumes)
        for (const auto* mode : {"", "/direct"})
            if (const auto known = facts.volumes.find(pool + "/" + name + mode); known != facts.volumes.end())
                paths.insert(known->second.path);
    std::set<std::string> below;
    for (const auto& path : paths)
        if (const auto known = facts.paths.find(path); known != facts.paths.end())
            for (const auto& layer : known->second.backing) below.insert(layer.path);
    paths.merge(below);
    std::erase_if(paths, [](const std::string& path) { return !path.starts_with('/'); });
    return {.paths = {paths.begin(), paths.end()}, .within = allowed};
}

} // namespace cloister
