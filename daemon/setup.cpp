#include "daemon/setup.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/provenance.hpp"
#include "conf/settings/read.hpp"
#include "driver/probe/conf_check.hpp"

#include <cerrno>
#include <fstream>
#include <grp.h>
#include <sstream>

namespace cloister {
namespace {

/// The text of a file. A file that nobody named may be missing: the defaults hold then.
Result<std::string> text_of(const std::string& path, bool must_exist) {
    errno = 0;
    std::ifstream in(path);
    if (!in) {
        if (errno == ENOENT && !must_exist) return std::string();
        return std::unexpected(system_error(errno, tr("cannot read '{0}'", path)));
    }
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
}

/// What of a well-formed cloisterd.conf cannot be had.
void check_supported(const DaemonConf& conf, std::vector<Error>& errors) {
    const auto refuse = [&](std::string_view key, const std::string& what) {
        errors.push_back(key_error(conf, key, what));
    };
    if (conf.unix_sock_group && !::getgrnam(conf.unix_sock_group->c_str())) // before any thread is there
        refuse("unix_sock_group", tr("there is no group '{0}' on this host", *conf.unix_sock_group));
}

/// The private folders of a daemon with a state root, where the files do not say others.
void move_below_root(DriverSetup& out) {
    const auto& root = out.daemon.state_root;
    out.folders = folders_below(root);
    // as libvirt does: a folder that is shared with others gets one of our own
    if (out.conf.lines.contains("memory_backing_dir")) out.conf.memory_backing_dir += "/libvirt/qemu";
    if (root.empty()) return;
    if (!out.daemon.lines.contains("unix_sock_dir")) out.daemon.unix_sock_dir.insert(0, root);
    if (!out.conf.lines.contains("auto_dump_path")) out.conf.auto_dump_path.insert(0, root);
    if (!out.conf.lines.contains("memory_backing_dir")) out.conf.memory_backing_dir.insert(0, root);
}

template <class Conf> Conf take(Checked<Conf> all, CheckedSetup& out) {
    out.warnings.insert(out.warnings.end(), all.warnings.begin(), all.warnings.end());
    out.errors.insert(out.errors.end(), all.errors.begin(), all.errors.end());
    return std::move(all.conf);
}

} // namespace

Folders folders_below(const std::string& root) {
    Folders out;
    for (auto* folder :
         {&out.definitions, &out.autostart, &out.state, &out.cache, &out.runtime, &out.log, &out.undo})
        folder->insert(0, root);
    return out;
}

CheckedSetup checked_setup(const Options& options) {
    const auto daemon_file = options.config.value_or("/etc/cloister/cloisterd.conf");
    const auto qemu_file = options.qemu_conf.value_or("/etc/cloister/qemu.conf");
    CheckedSetup out;
    auto& setup = out.setup;
    if (const auto text = text_of(daemon_file, options.config.has_value())) {
        setup.daemon = take(check_daemon_conf(*text, daemon_file), out);
        if (out.errors.empty()) check_supported(setup.daemon, out.errors);
    } else {
        out.errors.push_back(text.error());
    }
    if (const auto text = text_of(qemu_file, options.qemu_conf.has_value())) {
        auto qemu = check_qemu_conf(*text, qemu_file);
        if (qemu.errors.empty()) qemu.errors = unusable_here(qemu.conf);
        setup.conf = take(std::move(qemu), out);
        find_certificates(setup.conf);
    } else {
        out.errors.push_back(text.error());
    }

    auto& root = setup.daemon.state_root;
    if (options.state_root) root = *options.state_root;
    while (root.ends_with('/')) root.pop_back();
    if (!root.empty() && root.front() != '/')
        out.errors.push_back(
            {.code = Code::invalid_arg, .message = tr("the state root '{0}' is no absolute path", root)});
    move_below_root(setup);
    if (options.socket_dir) setup.daemon.unix_sock_dir = *options.socket_dir;
    return out;
}

Result<DriverSetup> read_setup(const Options& options, std::vector<std::string>& warnings) {
    auto all = checked_setup(options);
    warnings.insert(warnings.end(), all.warnings.begin(), all.warnings.end());
    if (!all.errors.empty()) return std::unexpected(std::move(all.errors.front()));
    return std::move(all.setup);
}

} // namespace cloister
