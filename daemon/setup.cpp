#include "daemon/setup.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/read.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
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

Result<> check_supported(const DaemonConf& conf) {
    if (conf.auth_unix_rw != "none" || conf.auth_unix_ro != "none")
        return fail(
            Code::config_unsupported,
            tr("{0}: authentication by '{1}' is not available: use the mode and the group of the sockets",
               conf.file, conf.auth_unix_rw != "none" ? conf.auth_unix_rw : conf.auth_unix_ro));
    if (!conf.access_drivers.empty())
        return fail(Code::config_unsupported, tr("{0}: the access driver '{1}' is not available", conf.file,
                                                 conf.access_drivers.front()));
    return {};
}

} // namespace

Folders folders_below(const std::string& root) {
    Folders out;
    for (auto* folder :
         {&out.definitions, &out.autostart, &out.state, &out.cache, &out.runtime, &out.log, &out.undo})
        folder->insert(0, root);
    return out;
}

Result<DriverSetup> read_setup(const Options& options, std::vector<std::string>& warnings) {
    const auto daemon_file = options.config.value_or("/etc/cloister/cloisterd.conf");
    const auto qemu_file = options.qemu_conf.value_or("/etc/cloister/qemu.conf");
    DriverSetup out;
    const auto daemon_text = TRY(text_of(daemon_file, options.config.has_value()));
    out.daemon = TRY(read_daemon_conf(daemon_text, daemon_file, warnings));
    const auto qemu_text = TRY(text_of(qemu_file, options.qemu_conf.has_value()));
    out.conf = TRY(read_qemu_conf(qemu_text, qemu_file, warnings));
    TRY(check_supported(out.daemon));

    auto& root = out.daemon.state_root;
    if (options.state_root) root = *options.state_root;
    while (root.ends_with('/')) root.pop_back();
    if (!root.empty() && root.front() != '/')
        return fail(Code::invalid_arg, tr("the state root '{0}' is no absolute path", root));
    out.folders = folders_below(root);
    if (!root.empty()) {
        if (!out.daemon.lines.contains("unix_sock_dir")) out.daemon.unix_sock_dir.insert(0, root);
        if (!out.conf.lines.contains("auto_dump_path")) out.conf.auto_dump_path.insert(0, root);
        if (!out.conf.lines.contains("memory_backing_dir")) out.conf.memory_backing_dir.insert(0, root);
    }
    if (options.socket_dir) out.daemon.unix_sock_dir = *options.socket_dir;
    return out;
}

} // namespace cloister
