/// The table of devices of domains: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/attach.hpp"
#include "driver/op/console.hpp"
#include "driver/op/input.hpp"
#include "driver/op/stats.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<DomainAttachDevice>(8),        entry<DomainDetachDevice>(13),
    entry<DomainBlockStats>(64),         entry<DomainAttachDeviceFlags>(160),
    entry<DomainDetachDeviceFlags>(161), entry<DomainUpdateDeviceFlags>(174),
    entry<DomainGetBlockInfo>(194),      entry<DomainOpenConsole>(201),
    entry<DomainScreenshot>(211),        entry<DomainBlockStatsFlags>(243),
    entry<DomainOpenChannel>(296),       entry<DomainOpenGraphicsFd>(343),
    entry<DomainDetachDeviceAlias>(392),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> domain_device_entries = entries;

} // namespace cloister::rpc
