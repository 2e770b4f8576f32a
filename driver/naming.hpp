/// No confused deputy: what of the host a client other than root may name in a definition or a device.
#pragma once

#include "driver/op/call.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cloister {

struct Domain;    // conf/domain/domain.hpp
struct HostFacts; // driver/facts/host_facts.hpp
struct Bounds;    // security/plan.hpp

/// Whether the caller may name what `xml` (a domain, or a device) names: paths within allowed_paths, after
/// links have been followed, whether they exist or not, those of volumes included; an emulator of
/// allowed_emulators, or else the action org.cloister.domain.emulator; root as an owner, or no label at all,
/// with org.cloister.domain.root; arguments for QEMU with org.cloister.domain.passthrough. Root may name
/// everything. Nothing has been looked at, and no emulator asked, for a caller who is refused. Errors:
/// access_denied. Text that is no XML is left to whoever reads it.
Task<Result<>> may_name(Call call, std::string xml);

/// What bounds a launch of `definition`, which somebody other than root gave.
Bounds bounds_of(const Domain& definition, const HostFacts& facts, const Driver& driver);
/// The first path named in a definition that leads out of allowed_paths now. Nothing else is found out of it.
Task<std::optional<std::string>> outside_now(Driver* driver, std::shared_ptr<const Domain> definition);

/// Whether a definition of root's may become one that is bounded, as a change by anybody else makes it: all
/// the paths that it names have to be within allowed_paths, or it could not be started any more. Errors:
/// access_denied.
Task<Result<>> may_bound(Call call, std::shared_ptr<const Domain> definition);

} // namespace cloister
