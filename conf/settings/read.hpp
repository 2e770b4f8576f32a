/// qemu.conf and cloisterd.conf: text -> value, and the texts that the table of keys makes.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/daemon_conf.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// All that a file says and all that is wrong with it: what --check-config prints. A file that cannot be
/// parsed gives one error; otherwise there is one for each wrong key.
template <class Conf> struct Checked {
    Conf conf{};
    std::vector<std::string> warnings{};
    std::vector<Error> errors{};
};
Checked<QemuConf> check_qemu_conf(std::string_view text, std::string_view file);
Checked<DaemonConf> check_daemon_conf(std::string_view text, std::string_view file);

/// The settings of a qemu.conf. `file` names it in messages. `warnings` gets a sentence, with file and line,
/// for each unknown key (with the nearest known one) and for each key that has no effect in this version.
/// Errors: Code::conf_syntax with file, line, key and what is allowed.
Result<QemuConf> read_qemu_conf(std::string_view text, std::string_view file,
                                std::vector<std::string>& warnings);
/// Likewise for cloisterd.conf.
Result<DaemonConf> read_daemon_conf(std::string_view text, std::string_view file,
                                    std::vector<std::string>& warnings);

/// The shipped file: every key with its explanation, commented out, with its default.
std::string shipped_qemu_conf();
std::string shipped_daemon_conf();
/// The body of the manual page's list of keys (man macros).
std::string manual_qemu_conf();
std::string manual_daemon_conf();

} // namespace cloister
