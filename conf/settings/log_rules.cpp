#include "conf/settings/log_rules.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/provenance.hpp"

namespace cloister {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of(" \t\n"), text.size());
        if (end > 0) out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// "3:rest" -> 3 and "rest"; 0: there is no level.
unsigned take_level(std::string_view& word) {
    if (word.size() < 3 || word[0] < '1' || word[0] > '4' || word[1] != ':') return 0;
    const auto level = static_cast<unsigned>(word[0] - '0');
    word.remove_prefix(2);
    return level;
}

bool take(std::string_view& word, std::string_view head) {
    if (!word.starts_with(head)) return false;
    word.remove_prefix(head.size());
    return true;
}

Result<LogOutput> output_of(const DaemonConf& conf, std::string_view word) {
    auto rest = word;
    LogOutput out{.level = take_level(rest)};
    const auto refuse = [&](std::string what) -> Result<LogOutput> {
        return std::unexpected(key_error(conf, "log_outputs", what, Code::conf_syntax));
    };
    if (out.level == 0) return refuse(tr("'{0}' does not begin with a level from 1 to 4 and a colon", word));
    if (rest == "stderr") return out;
    if (rest == "journald") {
        out.place = LogPlace::journald;
        return out;
    }
    if (take(rest, "file:")) {
        if (!rest.starts_with('/')) return refuse(tr("'{0}' names no absolute path", word));
        out.place = LogPlace::file;
        out.name = rest;
        return out;
    }
    if (take(rest, "syslog:")) {
        if (rest.empty()) return refuse(tr("'{0}' does not say under which name", word));
        out.place = LogPlace::syslog;
        out.name = rest;
        return out;
    }
    return refuse(
        tr("'{0}' is none of: LEVEL:stderr LEVEL:file:PATH LEVEL:syslog:NAME LEVEL:journald", word));
}

} // namespace

Result<LogRules> log_rules(const DaemonConf& conf) {
    LogRules out{.level = conf.log_level};
    for (const auto word : words_of(conf.log_filters)) {
        auto rest = word;
        const auto level = take_level(rest);
        // libvirt's "+" asks for a stack trace, which there is none of here
        if (level > 0) (void)take(rest, "+");
        if (level == 0 || rest.empty())
            return std::unexpected(key_error(conf, "log_filters",
                                             tr("'{0}' is no LEVEL:PART with a level from 1 to 4", word),
                                             Code::conf_syntax));
        out.filters.push_back({level, std::string(rest)});
    }
    for (const auto word : words_of(conf.log_outputs)) out.outputs.push_back(TRY(output_of(conf, word)));
    if (out.outputs.empty()) out.outputs.push_back({});
    return out;
}

unsigned least_level(const LogRules& rules, std::string_view source_file) {
    for (const auto& filter : rules.filters)
        if (source_file.find(filter.part) != std::string_view::npos) return filter.level;
    return rules.level;
}

} // namespace cloister
