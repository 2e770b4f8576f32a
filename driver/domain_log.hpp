/// The log of one domain, NAME.log: what the daemon says around QEMU's own messages. Same lines as libvirt's.
#pragma once

#include "security/plan.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// What the header of a start says besides the command.
struct LogHeader {
    std::string qemu_version{}; ///< "7.2.22"
    std::string kernel{}, hostname{};
};

/// "2026-11-23 22:57:40.161+0000: …", UTC.
std::string log_line(std::chrono::system_clock::time_point at, std::string_view text);
/// The start of a run: versions, environment and command, each word quoted for a shell, one option a line;
/// then the taints. Pure.
std::string log_header(std::chrono::system_clock::time_point at, const LogHeader& header,
                       const LaunchPlan& plan, const std::vector<std::string>& argv);
/// `word` as a shell would have to be given it.
std::string shell_quoted(std::string_view word);

} // namespace cloister
