/// AppArmor: the profile of one guest, made of what its plan grants. Pure.
/// Source: apparmor.d(5).
#pragma once

#include "security/look.hpp"
#include "security/plan.hpp"

#include <string>
#include <string_view>

namespace cloister {

/// "cloister-UUID"
std::string apparmor_profile_name(const Uuid& uuid);

/// The whole text, for apparmor_parser: what every QEMU needs of the host, then one rule for each grant,
/// folder and descriptor of the plan, each with who asked for it. Everything else is denied.
std::string apparmor_profile(const LaunchPlan& plan, const HostLook& look);

/// A path as a rule writes it: quoted, and no character of it means more than itself.
std::string apparmor_path(std::string_view path);

} // namespace cloister
