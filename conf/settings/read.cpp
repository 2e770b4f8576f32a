#include "conf/settings/read.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/keys.hpp"

#include <algorithm>
#include <set>
#include <span>

namespace cloister {
namespace {

using settings::Effect;
using settings::Key;

Error at(std::string_view file, int line, std::string what) {
    return {.code = Code::conf_syntax,
            .message = std::string(file) + ":" + std::to_string(line) + ": " + std::move(what),
            .domain = ErrorDomain::conf};
}

/// The right name of a key that people misspell because a well-known document does; otherwise the name
/// itself.
std::string_view corrected(std::string_view name) {
    return name == "security_default_confied" ? "security_default_confined" : name;
}

template <class Conf> Result<Conf> read_conf(std::span<const Key<Conf>> keys, std::string_view text,
                                             std::string_view file, std::vector<std::string>& warnings) {
    Conf conf;
    conf.file = file;
    const auto warn = [&](int line, std::string what) {
        warnings.push_back(std::string(file) + ":" + std::to_string(line) + ": " + std::move(what));
    };
    for (const auto& entry : TRY(keyfile::read(text, file))) {
        const auto name = corrected(entry.name);
        if (name != entry.name) warn(entry.line, tr("'{0}' is taken as '{1}'", entry.name, name));
        const auto key = std::ranges::find(keys, name, &Key<Conf>::name);
        if (key == keys.end()) {
            std::vector<std::string_view> known;
            for (const auto& k : keys) known.push_back(k.name);
            const auto near = settings::nearest(name, known);
            warn(entry.line, near.empty()
                                 ? tr("unknown key '{0}' is ignored", name)
                                 : tr("unknown key '{0}' is ignored; did you mean '{1}'?", name, near));
            continue;
        }
        if (conf.lines.contains(std::string(name))) {
            warn(entry.line, tr("'{0}' is set twice; the first one counts", name));
            continue;
        }
        if (auto complaint = key->read(entry.value, key->range, conf); !complaint.empty())
            return std::unexpected(at(file, entry.line, tr("'{0}': {1}", name, complaint)));
        conf.lines[std::string(name)] = entry.line;
        if (key->effect == Effect::none_yet)
            warn(entry.line, tr("'{0}' has no effect in this version", name));
    }
    return conf;
}

template <class Conf> std::string shipped(std::span<const Key<Conf>> keys, std::string_view title) {
    const Conf defaults;
    std::string out = "# " + std::string(title) +
                      "\n# Every key below is shown with its default; made from the table of keys, do not "
                      "edit in the source tree.\n";
    for (const auto& key : keys) {
        out += "\n# ";
        for (const char c : key.help) out += c == '\n' ? "\n# " : std::string(1, c);
        if (!key.range.choices.empty()) out += "\n# One of: " + std::string(key.range.choices);
        if (key.effect == Effect::none_yet)
            out += "\n# Read and checked, but without effect in this version.";
        const auto value = key.print(defaults);
        out += "\n#" + std::string(key.name) + " =" + (value.empty() ? "" : " " + value) + "\n";
    }
    return out;
}

template <class Conf> std::string manual(std::span<const Key<Conf>> keys) {
    const Conf defaults;
    std::string out;
    for (const auto& key : keys) {
        const auto value = key.print(defaults);
        out += ".TP\n.B " + std::string(key.name) + "\n" + std::string(key.help) + "\n";
        if (!key.range.choices.empty()) out += "One of: " + std::string(key.range.choices) + ".\n";
        if (!value.empty()) out += "Default: " + value + ".\n";
        if (key.effect == Effect::none_yet) out += "Without effect in this version.\n";
    }
    return out;
}

Result<> check_ports(const QemuConf& conf, std::string_view name, unsigned least, unsigned most) {
    if (least <= most) return {};
    const auto line = conf.lines.contains(std::string(name) + "_min")
                          ? conf.lines.at(std::string(name) + "_min")
                          : conf.lines.at(std::string(name) + "_max");
    return std::unexpected(at(conf.file, line, tr("'{0}_min' is greater than '{0}_max'", name)));
}

/// What one key alone cannot tell.
Result<> check_together(const QemuConf& conf) {
    TRY(check_ports(conf, "remote_display_port", conf.remote_display_port_min, conf.remote_display_port_max));
    TRY(check_ports(conf, "remote_websocket_port", conf.remote_websocket_port_min,
                    conf.remote_websocket_port_max));
    TRY(check_ports(conf, "migration_port", conf.migration_port_min, conf.migration_port_max));
    if (conf.security_driver) {
        const auto& drivers = *conf.security_driver;
        const auto line = conf.lines.at("security_driver");
        for (const auto& driver : drivers)
            if (std::ranges::count(drivers, driver) > 1)
                return std::unexpected(
                    at(conf.file, line, tr("'security_driver': '{0}' is named twice", driver)));
        if (drivers.size() > 1 && std::ranges::count(drivers, "none"))
            return std::unexpected(
                at(conf.file, line, tr("'security_driver': 'none' stands alone or not at all")));
    }
    return {};
}

} // namespace

Result<QemuConf> read_qemu_conf(std::string_view text, std::string_view file,
                                std::vector<std::string>& warnings) {
    auto conf = TRY(read_conf(settings::qemu_keys(), text, file, warnings));
    TRY(check_together(conf));
    return conf;
}
Result<DaemonConf> read_daemon_conf(std::string_view text, std::string_view file,
                                    std::vector<std::string>& warnings) {
    auto conf = TRY(read_conf(settings::daemon_keys(), text, file, warnings));
    for (const auto* mode : {&conf.unix_sock_ro_perms, &conf.unix_sock_rw_perms, &conf.unix_sock_admin_perms})
        if (mode->empty() || mode->size() > 4 || mode->find_first_not_of("01234567") != std::string::npos)
            return fail(Code::conf_syntax, tr("{0}: socket mode '{1}' is not an octal number", file, *mode));
    return conf;
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
