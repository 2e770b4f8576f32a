/// Why a guest was refused something, in a sentence that names the layer. Pure: from facts to sentences.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"
#include "security/plan.hpp"
#include "security/tried.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// What SELinux has to say of a path, for one guest. Answers are absent where the policy could not be asked.
struct LabelFacts {
    std::string label{}; ///< of what is there; empty: none, or no SELinux
    std::optional<bool> may_read{}, may_write{};
    std::string folder{}, folder_label{}; ///< the first one on the way that the guest may not search
    bool operator==(const LabelFacts&) const = default;
};

/// A path that QEMU may have been refused, and both sides of it.
struct PathFacts {
    std::string path{};
    std::string why{};            ///< who named it: "qemu:arg 4"; empty: only QEMU's message does
    int said = 0;                 ///< errno that QEMU's message has for it; 0: none that we know
    Tried host{};                 ///< as the daemon finds it
    std::optional<Tried> guest{}; ///< as the guest does; absent: it could not be asked
    LabelFacts selinux{};
    bool apparmor_said_no = false; ///< the kernel's log has it
    bool operator==(const PathFacts&) const = default;
};

/// How a guest's QEMU ended, and what is known of what it touched.
struct DeathFacts {
    bool known = false; ///< the status; only a child's can be had
    int code = 0, signal = 0;
    std::optional<std::string> syscall{}; ///< that a filter killed it for, as the kernel's log tells
    std::uint32_t uid = 0;
    bool private_dev = true, device_acl = true, qemu_seccomp = true;
    std::vector<DeviceRule> rules{}; ///< its device list
    std::vector<PathFacts> paths{};  ///< those of the message first
    bool named = false;    ///< the message names a path: those that it does not name are no suspects
    std::string context{}; ///< SELinux: QEMU's; empty: not confined by it
    std::string image_context{}, shared_context{}, content_context{}; ///< what such a guest may use
    std::string profile{};                                            ///< AppArmor: likewise
    std::string spawns{}; ///< who asks QEMU to run a program: "qemu:arg 2"; empty: nobody seen
    bool operator==(const DeathFacts&) const = default;
};

struct Denial {
    Layer layer = Layer::none; ///< none: no layer of ours
    std::string sentence{};    ///< translated, no full stop; says so when it is a guess
    std::string what{};        ///< the path or the system call; empty: not known
    bool operator==(const Denial&) const = default;
};
/// Empty: nothing of the confinement can be seen in it. A guess stands last, and only where nothing is sure.
std::vector<Denial> denials(const DeathFacts& facts);

/// The paths that QEMU's words name, with the errno text that follows in the same line; once each.
std::vector<PathFacts> paths_in(std::string_view words);
/// The paths that the plan gives QEMU on its command line, with who named them.
std::vector<PathFacts> paths_in(const LaunchPlan& plan);
/// Who asks QEMU to run a program of its own (a bridge helper, a tap's script, exec:).
std::string spawner_in(const LaunchPlan& plan);
/// The paths that AppArmor refused to a profile, from the kernel's audit lines.
std::vector<std::string> refused_by_apparmor(std::string_view kernel_log, std::string_view profile);
/// The number of the syscall for which a filter killed process `pid`, from the kernel's audit lines.
std::optional<int> syscall_in(std::string_view kernel_log, std::int32_t pid);

} // namespace cloister
