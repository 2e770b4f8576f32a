/// What <cputune>, <memtune> and <blkiotune> ask of the guest's groups, and what of them this version
/// refuses. Pure.
#pragma once

#include "conf/domain/domain.hpp"
#include "security/plan.hpp"

namespace cloister {

/// Errors: config_unsupported for what has no effect here, with the element: limits of single threads'
/// groups, realtime schedulers, performance counters.
Result<GroupTuning> tuning_of(const Domain& domain);

/// Which threads of a running QEMU may run where.
struct ThreadPins {
    std::map<std::uint32_t, std::vector<std::uint32_t>> vcpus{};     ///< number -> host CPUs
    std::map<std::uint32_t, std::vector<std::uint32_t>> iothreads{}; ///< likewise
    std::vector<std::uint32_t> rest{};                               ///< every other thread; empty: anywhere
    bool operator==(const ThreadPins&) const = default;
};
ThreadPins pins_of(const Domain& domain);

} // namespace cloister
