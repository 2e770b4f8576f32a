/// The status file of a running guest, NAME.xml in the runtime folder: what a restarted daemon needs to take
/// it over. The shape is libvirt's <domstatus> (facts/behaviour.md G.3) as far as it says the same; what is
/// ours stands in one element of our own namespace.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/saved.hpp"
#include "driver/facts/reserved.hpp"
#include "driver/state.hpp"
#include "security/op.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cloister::store {

struct StatusFile {
    Status status{};
    ProcessId process{};
    std::string monitor{}; ///< path of its socket
    bool mount_namespace = true;
    std::vector<std::string> taints{}, deprecations{};
    std::vector<std::pair<unsigned, pid_t>> vcpus{}; ///< index, thread
    std::vector<std::string> device_aliases{};
    bool fake_reboot = false;
    std::string state_dir{}, channel_dir{};
    Reserved reserved{};                       ///< with the id
    SavedSettings settings{};                  ///< of qemu.conf when it was started
    std::map<std::string, std::string> ptys{}; ///< chardev -> /dev/pts/N
    bool start_paused = false, starting = false;
    bool verified = false;    ///< its confinement was, before it was let run
    std::string domain_xml{}; ///< the live domain with everything, passwords too
    bool operator==(const StatusFile&) const = default;
};

std::string status_path(const std::string& runtime, const std::string& name);
/// Pure.
Result<std::string> printed(const StatusFile& file);
/// Pure. Errors: xml, internal when what a take-over needs is missing.
Result<StatusFile> parsed_status(const std::string& text);

} // namespace cloister::store
