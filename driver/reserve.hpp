/// Taking and giving back what must be unique (ids, ports, tap names, MCS pairs) or random.
#pragma once

#include "conf/base/result.hpp"
#include "driver/facts/reserved.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cloister {

class Driver;
struct Domain;

/// For one start of `domain`. Ports are tried: one that somebody else listens on is passed over.
/// Errors: internal when a range of qemu.conf is used up.
Result<Reserved> reserve(Driver& driver, const Domain& domain);
/// What `reserve` would give, without taking it: for explain.
Result<Reserved> reserve_for_show(Driver& driver, const Domain& domain);
/// Of a guest that is being taken over.
void take(Driver& driver, const Reserved& reserved);
void give_back(Driver& driver, const Reserved& reserved);

/// `count` bytes of the kernel's random numbers.
std::vector<std::uint8_t> random_bytes(std::size_t count);

} // namespace cloister
