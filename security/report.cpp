#include "security/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <fmt/core.h>

namespace cloister {

std::string_view layer_name(Layer layer) {
    switch (layer) {
    case Layer::none: return "process";
    case Layer::selinux: return "selinux";
    case Layer::apparmor: return "apparmor";
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

namespace {
/// In UTC: what computes a local time reads files.
std::string date(std::int64_t seconds) {
    const std::chrono::sys_seconds at{std::chrono::seconds{seconds}};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day ymd{day};
    const std::chrono::hh_mm_ss time{at - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(ymd.year()),
                       static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

boost::json::value denied_json(const Report& report) {
    if (!report.denied) return nullptr;
    boost::json::array out;
    for (const auto& d : *report.denied)
        out.push_back({{"device", printed(d.what)},
                       {"name", d.name},
                       {"type", d.what.type == NodeType::block_device ? "block" : "char"},
                       {"major", d.what.major.value_or(0)},
                       {"minor", d.what.minor.value_or(0)},
                       {"read", d.what.read},
                       {"write", d.what.write},
                       {"make_node", d.what.make_node},
                       {"times", d.times},
                       {"first", date(d.first)},
                       {"last", date(d.last)}});
    return out;
}
} // namespace

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
    if (!report.denied)
        out += fmt::format("denied: not recorded{}{}\n", report.denied_why.empty() ? "" : ": ",
                           report.denied_why);
    else if (report.denied->empty())
        out += "denied: nothing\n";
    else
        for (const auto& d : *report.denied)
            out += fmt::format("denied: {}, {} time{}, last at {}, first at {}{}\n", printed(d.what), d.times,
                               d.times == 1 ? "" : "s", date(d.last), date(d.first),
                               d.name.empty() ? "" : " (" + d.name + ")");
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
    boost::json::object out{{"ok", report.ok()},
                            {"items", std::move(items)},
                            {"denied", denied_json(report)},
                            {"relaxations", strings(report.relaxations)},
                            {"notes", strings(report.notes)}};
    if (!report.denied) out["denied_why"] = report.denied_why;
    return out;
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
