#include "conf/settings/read.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/keys.hpp"
#include "conf/settings/log_rules.hpp"
#include "conf/settings/provenance.hpp"

#include <algorithm>
#include <set>
#include <span>

namespace cloister {
namespace {

using settings::Effect;
using settings::Key;

/// The right name of a key that people misspell because a well-known document does; otherwise the name
/// itself.
std::string_view corrected(std::string_view name) {
    return name == "security_default_confied" ? "security_default_confined" : name;
}

/// A key that is not ours, and what a user may have meant by it.
template <class Conf> std::string unknown(std::span<const Key<Conf>> keys, std::string_view name) {
    if (std::is_same_v<Conf, DaemonConf>)
        if (const auto why = settings::other_daemons_key(name); !why.empty())
            return tr("'{0}' has no effect: {1}", name, why);
    std::vector<std::string_view> known;
    for (const auto& key : keys) known.push_back(key.name);
    const auto near = settings::nearest(name, known);
    return near.empty() ? tr("unknown key '{0}' is ignored", name)
                        : tr("unknown key '{0}' is ignored; did you mean '{1}'?", name, near);
}

template <class Conf>
Checked<Conf> checked(std::span<const Key<Conf>> keys, std::string_view text, std::string_view file) {
    Checked<Conf> out;
    auto& conf = out.conf;
    conf.file = file;
    const auto warn = [&](int line, std::string what) {
        out.warnings.push_back(std::string(file) + ":" + std::to_string(line) + ": " + std::move(what));
    };
    const auto entries = keyfile::read(text, file);
    if (!entries) {
        out.errors.push_back(entries.error());
        return out;
    }
    for (const auto& entry : *entries) {
        const auto name = corrected(entry.name);
        if (name != entry.name) warn(entry.line, tr("'{0}' is taken as '{1}'", entry.name, name));
        const auto key = std::ranges::find(keys, name, &Key<Conf>::name);
        if (key == keys.end()) {
            warn(entry.line, unknown(keys, name));
            continue;
        }
        if (conf.lines.contains(std::string(name))) {
            warn(entry.line, tr("'{0}' is set twice; the first one counts", name));
            continue;
        }
        conf.lines[std::string(name)] = entry.line;
        if (const auto complaint = key->read(entry.value, key->range, conf); !complaint.empty())
            out.errors.push_back(key_error(conf, name, complaint, Code::conf_syntax));
        else if (key->effect == Effect::none_yet)
            warn(entry.line, tr("'{0}' has no effect in this version", name));
    }
    return out;
}

template <class Conf>
Result<Conf> first_error_or_conf(Checked<Conf> all, std::vector<std::string>& warnings) {
    warnings.insert(warnings.end(), all.warnings.begin(), all.warnings.end());
    if (!all.errors.empty()) return std::unexpected(std::move(all.errors.front()));
    return std::move(all.conf);
}

/// Comment lines of at most 79 columns; a line of the text begins a new one.
std::string commented(std::string_view text) {
    constexpr std::size_t most = 79;
    std::string out, line = "#";
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find_first_of(" \n", at), text.size());
        if (line.size() > 1 && line.size() + 1 + (end - at) > most) {
            out += line + "\n";
            line = "#";
        }
        line += " " + std::string(text.substr(at, end - at));
        if (end == text.size() || text[end] == '\n') {
            out += line + "\n";
            line = "#";
        }
        at = end + 1;
    }
    return out;
}

template <class Conf> std::string shipped(std::span<const Key<Conf>> keys, std::string_view title) {
    const Conf defaults;
    std::string out = "# " + std::string(title) +
                      "\n# Every key below is shown with its default; made from the table of keys, do not "
                      "edit in the source tree.\n";
    for (const auto& key : keys) {
        out += "\n" + commented(key.help);
        out += commented("Takes " + allowed(key.type, key.range) + ".");
        if (!key.range.choices.empty()) out += commented("One of: " + std::string(key.range.choices));
        if (key.effect == Effect::none_yet)
            out += commented("Read and checked, but without effect in this version.");
        const auto value = key.print(defaults);
        out += "#" + std::string(key.name) + " =" + (value.empty() ? "" : " " + value) + "\n";
    }
    return out;
}

template <class Conf> std::string manual(std::span<const Key<Conf>> keys) {
    const Conf defaults;
    std::string out;
    for (const auto& key : keys) {
        const auto value = key.print(defaults);
        out += ".TP\n.B " + std::string(key.name) + "\n" + std::string(key.help) + "\n";
        out += "Takes " + allowed(key.type, key.range) + ".\n";
        if (!key.range.choices.empty()) out += "One of: " + std::string(key.range.choices) + ".\n";
        if (!value.empty()) out += "Default: " + value + ".\n";
        if (key.effect == Effect::none_yet) out += "Without effect in this version.\n";
    }
    return out;
}

void check_ports(Checked<QemuConf>& all, const std::string& name, unsigned least, unsigned most) {
    if (least <= most) return;
    const auto key = name + (all.conf.lines.contains(name + "_min") ? "_min" : "_max");
    all.errors.push_back(key_error(all.conf, key,
                                   tr("the range is empty: '{0}_min' is greater than '{0}_max'", name),
                                   Code::conf_syntax));
}

/// What one key alone cannot tell.
void check_together(Checked<QemuConf>& all) {
    const auto& conf = all.conf;
    check_ports(all, "remote_display_port", conf.remote_display_port_min, conf.remote_display_port_max);
    check_ports(all, "remote_websocket_port", conf.remote_websocket_port_min, conf.remote_websocket_port_max);
    check_ports(all, "migration_port", conf.migration_port_min, conf.migration_port_max);
    if (!conf.security_driver) return;
    const auto& drivers = *conf.security_driver;
    const auto refuse = [&](std::string what) {
        all.errors.push_back(key_error(conf, "security_driver", std::move(what), Code::conf_syntax));
    };
    for (auto driver = drivers.begin(); driver != drivers.end(); ++driver)
        if (std::find(drivers.begin(), driver, *driver) != driver)
            refuse(tr("'{0}' is named twice", *driver));
    if (drivers.size() > 1 && std::ranges::count(drivers, "none"))
        refuse(tr("'none' stands alone or not at all"));
}

} // namespace

Checked<QemuConf> check_qemu_conf(std::string_view text, std::string_view file) {
    auto out = checked(settings::qemu_keys(), text, file);
    if (out.errors.empty()) check_together(out);
    return out;
}
Checked<DaemonConf> check_daemon_conf(std::string_view text, std::string_view file) {
    auto out = checked(settings::daemon_keys(), text, file);
    if (!out.errors.empty()) return out;
    if (const auto rules = log_rules(out.conf); !rules) out.errors.push_back(rules.error());
    return out;
}
Result<QemuConf> read_qemu_conf(std::string_view text, std::string_view file,
                                std::vector<std::string>& warnings) {
    return first_error_or_conf(check_qemu_conf(text, file), warnings);
}
Result<DaemonConf> read_daemon_conf(std::string_view text, std::string_view file,
                                    std::vector<std::string>& warnings) {
    return first_error_or_conf(check_daemon_conf(text, file), warnings);
}

std::string shipped_qemu_conf() {
    return shipped(settings::qemu_keys(), "The driver's settings: cloister's qemu.conf.");
}
std::string shipped_daemon_conf() {
    return shipped(settings::daemon_keys(), "The daemon's settings: cloisterd.conf.");
}
std::string manual_qemu_conf() { return manual(settings::qemu_keys()); }
std::string manual_daemon_conf() { return manual(settings::daemon_keys()); }

} // namespace cloister
