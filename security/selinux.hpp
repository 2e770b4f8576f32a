/// SELinux: the contexts of a guest, computed from what the policy and the <seclabel> say.
/// Pure: nothing is labelled here, and without SELinux nothing is computed at all.
/// Source: facts/behaviour.md A.31.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace cloister {

/// "USER:ROLE:TYPE:RANGE"
struct SelinuxContext {
    std::string user{}, role{}, type{};
    std::string range{}; ///< "s0", "s0:c1,c2", "s0-s0:c0.c1023"; empty: a policy without levels
    bool operator==(const SelinuxContext&) const = default;
};
std::optional<SelinuxContext> selinux_context(std::string_view text);
std::string printed(const SelinuxContext& context);

/// The categories that a daemon may give to guests, and their sensitivity.
struct McsRange {
    std::string sensitivity = "s0";
    std::uint32_t first = 0, last = 1023;
    bool operator==(const McsRange&) const = default;
};
/// From the daemon's own range: the lower sensitivity, and all its categories when it names none.
/// Absent when it has fewer than 8, which are too few to tell guests apart.
std::optional<McsRange> mcs_range(std::string_view range);
/// Two different categories, the lower first: "c57,c903". `random` chooses among those that are not `taken`.
/// Errors: internal when all are.
Result<std::string> mcs_pair(const McsRange& range, const std::multiset<std::string>& taken,
                             std::uint64_t random);
/// The pair that a context has, lower first, however it is written ("c9,c3", "c3.c4"); absent: none.
std::optional<std::string> pair_in(const SelinuxContext& context);

/// What the policy's context files say, and who the daemon is.
struct SelinuxPolicy {
    std::string process{}, process_tcg{}; ///< "system_u:system_r:svirt_t:s0"; TCG: svirt_tcg_t, may be empty
    std::string image{}, content{};       ///< "system_u:object_r:svirt_image_t:s0", "…:virt_content_t:s0"
    std::string daemon{};                 ///< its own context
    bool mls = true;                      ///< the policy has levels and categories
    bool operator==(const SelinuxPolicy&) const = default;
};
/// From the two context files: the first line is of KVM or of a guest's own disk, the second of TCG or of
/// what it only reads. `daemon`: its context.
SelinuxPolicy selinux_policy_in(std::string_view domain_file, std::string_view image_file, std::string daemon,
                                bool mls);
/// The <seclabel model='selinux'> of a guest.
struct SelinuxWish {
    enum class Type { dynamic, fixed, none } type = Type::dynamic;
    std::string label{}; ///< fixed: the process's
    std::string base{};  ///< dynamic: whose type to take instead of the policy's
};
struct SelinuxLabels {
    std::string process{}; ///< empty: QEMU is not confined by SELinux
    std::string image{};   ///< what is its own; empty with it
    bool operator==(const SelinuxLabels&) const = default;
};
/// Errors: config_unsupported for a context that is none, in the policy's files or in the definition.
Result<SelinuxLabels> selinux_labels(const SelinuxPolicy& policy, const SelinuxWish& wish,
                                     std::string_view sensitivity, std::string_view pair, bool tcg);

} // namespace cloister
