/// Capabilities by name and as the kernel's bits. Pure.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cloister {

/// The bits of what a guest keeps: "sys_rawio", "CAP_SYS_RAWIO", or "all". `last` is the kernel's highest.
/// Errors: config_unsupported for a name nobody knows.
Result<std::uint64_t> capability_bits(const std::vector<std::string>& names, std::uint32_t last);
/// "sys_rawio, net_admin", "none", "all" or bits without a name as numbers.
std::string capability_names(std::uint64_t bits, std::uint32_t last);

} // namespace cloister
