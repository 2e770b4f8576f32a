/// Which line of a configuration file made a setting what it is: for explanations, relaxations and errors.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/daemon_conf.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <string>

namespace cloister {

/// "/etc/cloister/qemu.conf line 12: namespaces" when the file sets the key; "qemu.conf namespaces" when it
/// is the default.
std::string key_why(const QemuConf& conf, const std::string& key);

/// An error about a key: "FILE:LINE: 'KEY': WHAT"; without the line when the file does not set it.
Error key_error(const QemuConf& conf, std::string_view key, std::string_view what,
                Code code = Code::config_unsupported);
Error key_error(const DaemonConf& conf, std::string_view key, std::string_view what,
                Code code = Code::config_unsupported);

} // namespace cloister
