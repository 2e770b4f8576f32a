#include "security/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/core.h>

namespace cloister {

std::string_view layer_name(Layer layer) {
    switch (layer) {
    case Layer::none: return "process";
    case Layer::selinux: return "selinux";
    case Layer::dac: return "dac";
    case Layer::mountns: return "mountns";
    case Layer::cgroup: return "cgroup";
    case Layer::caps: return "caps";
    case Layer::seccomp: return "seccomp";
    case Layer::landlock: return "landlock";
    case Layer::limits: return "limits";
    }
    return "process";
}

bool Report::ok() const { return std::ranges::all_of(items, &ReportItem::ok); }

std::string printed(const Report& report) {
    std::size_t layer = 5, item = 4, planned = 7, found = 5;
    for (const auto& i : report.items) {
        layer = std::max(layer, layer_name(i.layer).size());
        item = std::max(item, i.item.size());
        planned = std::min<std::size_t>(std::max(planned, i.planned.size()), 40);
        found = std::min<std::size_t>(std::max(found, i.found.size()), 40);
    }
    std::string out = fmt::format("    {:{}}  {:{}}  {:{}}  {:{}}  {}\n", "layer", layer, "item", item,
                                  "planned", planned, "found", found, "because");
    for (const auto& i : report.items)
        out += fmt::format("{} {:{}}  {:{}}  {:{}}  {:{}}  {}\n", i.ok ? " ok" : "BAD", layer_name(i.layer),
                           layer, i.item, item, i.planned, planned, i.found, found, i.why);
    for (const auto& relaxation : report.relaxations) out += "relaxed: " + relaxation + "\n";
    for (const auto& note : report.notes) out += "note: " + note + "\n";
    return out;
}

boost::json::value to_json(const Report& report) {
    boost::json::array items;
    for (const auto& i : report.items)
        items.push_back({{"layer", layer_name(i.layer)},
                         {"item", i.item},
                         {"planned", i.planned},
                         {"found", i.found},
                         {"ok", i.ok},
                         {"why", i.why}});
    const auto strings = [](const std::vector<std::string>& from) {
        boost::json::array out;
        for (const auto& one : from) out.push_back(boost::json::string(one));
        return out;
    };
    return boost::json::object{{"ok", report.ok()},
                               {"items", std::move(items)},
                               {"relaxations", strings(report.relaxations)},
                               {"notes", strings(report.notes)}};
}

std::string differences(const Report& report) {
    std::string out;
    for (const auto& i : report.items)
        if (!i.ok)
            out += fmt::format("{}{}: {}: planned {}, found {}", out.empty() ? "" : "; ", layer_name(i.layer),
                               i.item, i.planned.empty() ? "nothing" : i.planned,
                               i.found.empty() ? "nothing" : i.found);
    return out;
}

} // namespace cloister
