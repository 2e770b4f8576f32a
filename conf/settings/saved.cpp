#include "conf/settings/saved.hpp"

#include "conf/settings/keys.hpp"
#include "conf/settings/provenance.hpp"

#include <algorithm>

namespace cloister {

SavedSettings saved(const QemuConf& conf) {
    const QemuConf defaults;
    SavedSettings out{.file = conf.file};
    for (const auto& key : settings::qemu_keys()) {
        const auto line = conf.lines.find(std::string(key.name));
        auto value = key.print(conf);
        if (line == conf.lines.end() && value == key.print(defaults)) continue;
        out.keys.push_back(
            {std::string(key.name), std::move(value), line == conf.lines.end() ? 0 : line->second});
    }
    return out;
}

Result<QemuConf> restored(const SavedSettings& settings) {
    QemuConf out;
    out.file = settings.file;
    for (const auto& saved : settings.keys) {
        const auto key = std::ranges::find(settings::qemu_keys(), saved.name, &settings::Key<QemuConf>::name);
        if (key == settings::qemu_keys().end()) continue;
        const auto entries = TRY(keyfile::read(saved.name + " = " + saved.value, settings.file));
        if (saved.line > 0) out.lines[saved.name] = saved.line;
        if (const auto complaint = key->read(entries.front().value, key->range, out); !complaint.empty())
            return std::unexpected(key_error(out, saved.name, complaint, Code::conf_syntax));
    }
    return out;
}

} // namespace cloister
