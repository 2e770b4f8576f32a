/// The table of what goes on inside a guest: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/input.hpp"
#include "driver/op/stats.hpp"

namespace cloister::rpc {

namespace {

constexpr std::array entries{
    entry<DomainInterfaceStats>(65),
    entry<DomainInjectNmi>(210),
    entry<DomainSendKey>(226),
};
static_assert(sorted_once(entries));

} // namespace

std::span<const Entry> domain_guest_entries() { return entries; }

} // namespace cloister::rpc
