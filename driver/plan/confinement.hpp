/// Who QEMU runs as, what it finds in its environment, and what each layer is told. Pure.
/// Source: facts/behaviour.md A.4, A.5, B.3 to B.6.
#pragma once

#include "driver/device/device.hpp"

namespace cloister {

/// "qemu-ID-NAME" with only letters, digits, dashes and dots, at most 64 characters, as machine names are.
std::string machine_name(int id, std::string_view name);

std::vector<EnvVar> base_environment(const PlanContext& context);

/// Errors: config_unsupported for a label that this host cannot honour or the administrator forbids.
Result<Identity> identity_of(const PlanContext& context);
Confinement confinement_of(const PlanContext& context, const Identity& identity, LaunchPlan& plan);

/// "+UID:+GID", "user:group" …: the two numbers, from HostFacts::identities or the text itself.
std::optional<Ids> ids_of(const HostFacts& facts, const std::string& label);

} // namespace cloister
