/// Passthrough arguments, read the way QEMU reads its command line: which are refused, what they taint. Pure.
/// Source: qemu-options.hx of QEMU 7.2 (which options take a value); design.md 4.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/passthrough.hpp"
#include "security/plan.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

enum class Arity { none, value };
/// nullopt: QEMU 7.2 on x86 has no such option.
std::optional<Arity> option_arity(std::string_view name);

struct PassthroughOption {
    std::string name{};                 ///< without its dashes; empty: a bare word (a disk image)
    std::optional<std::string> value{}; ///< absent: it takes none, or the list ended
    std::size_t place = 0;              ///< of the option in the list, counted from 1
    bool value_missing = false;
    bool operator==(const PassthroughOption&) const = default;
};
/// One or two dashes, the next word as value whatever it looks like. An unknown option takes no value.
std::vector<PassthroughOption> read_options(const std::vector<std::string>& args);

/// Errors: config_unsupported, naming the argument: what would undo the confinement or the start
/// (-sandbox, -runas, -chroot, -daemonize, -pidfile, -S, -incoming, -preconfig), and a last option without
/// its value, which would swallow one of ours.
Result<> check_passthrough(const Passthrough& passthrough);

/// What the plan says of it: items, environment (a later value of the same name replaces the earlier in its
/// place), taints, warnings. Overrides are applied to the -device items.
Result<> add_passthrough_items(LaunchPlan& plan, const Passthrough& passthrough);
void add_passthrough_environment(LaunchPlan& plan, const Passthrough& passthrough);
Result<> apply_overrides(LaunchPlan& plan, const Passthrough& passthrough);

} // namespace cloister
