/// The Landlock domain of a guest. All guests share a uid: without a domain each, one can trace, signal and
/// read another. Path rules from the grants can be added to the same ruleset later. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cloister {

struct LandlockDomain {
    bool use = false;
    std::uint64_t handled = 0; ///< file rights that the domain restricts: making device nodes
    std::uint64_t allowed = 0; ///< of these, allowed everywhere
    std::uint64_t scoped = 0;  ///< abstract sockets, signals: not out of the domain
    std::vector<std::string> notes{};
    bool operator==(const LandlockDomain&) const = default;
};
/// `abi`: what landlock_create_ruleset() says, 0 when the kernel has none.
LandlockDomain landlock_domain(int abi);

} // namespace cloister
