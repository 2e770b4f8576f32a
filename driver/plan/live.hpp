/// From a stored definition to what a running guest says of itself: id, aliases, ports, taps, paths,
/// firmware, labels. Pure. Source: facts/behaviour.md D.6.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/reserved.hpp"
#include "security/plan.hpp"

namespace cloister {

/// The files and folders of one run of one guest.
LaunchPaths launch_paths(const Folders& folders, const Domain& domain, int id);

/// "domain-ID-NAME" with the name cut to 20 characters, as folders are called.
std::string launch_folder_name(int id, std::string_view name);

/// Errors: config_unsupported, operation_failed (no firmware fits), internal (too little reserved).
Result<Domain> live_copy(const Domain& domain, const QemuCaps& caps, const QemuConf& conf,
                         const HostFacts& facts, const Reserved& reserved, const LaunchPaths& paths,
                         const Folders& folders);

} // namespace cloister
