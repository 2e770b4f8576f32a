/// The table of devices of domains: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/console.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<DomainOpenConsole>(201),
    entry<DomainOpenChannel>(296),
};
static_assert(sorted_once(entries));

} // namespace

std::span<const Entry> domain_device_entries() { return entries; }

} // namespace cloister::rpc
