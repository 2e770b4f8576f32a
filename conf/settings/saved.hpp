/// The settings that a guest was started with, kept in its status file: a daemon that is restarted with
/// another qemu.conf still knows how that guest is confined, and by which lines.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <string>
#include <vector>

namespace cloister {

struct SavedKey {
    std::string name{}, value{}; ///< the value as the file writes it
    int line = 0;                ///< 0: the file does not set it
    bool operator==(const SavedKey&) const = default;
};
struct SavedSettings {
    std::string file{}; ///< empty: none were saved
    std::vector<SavedKey> keys{};
    bool operator==(const SavedSettings&) const = default;
};

/// What differs from the defaults, and what the file set.
SavedSettings saved(const QemuConf& conf);
/// The settings again. A key that this version does not know is left out. Errors: conf_syntax.
Result<QemuConf> restored(const SavedSettings& settings);

} // namespace cloister
