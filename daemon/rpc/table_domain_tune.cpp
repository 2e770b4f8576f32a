/// The table of processors, memory, tuning and history of domains: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/history.hpp"
#include "driver/op/info.hpp"
#include "driver/op/metadata.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<DomainGetSecurityLabel>(121),
    entry<DomainGetJobInfo>(163),
    entry<DomainAbortJob>(164),
    entry<DomainHasManagedSaveImage>(183),
    entry<DomainSnapshotNum>(187),
    entry<DomainSnapshotListNames>(188),
    entry<DomainSnapshotLookupByName>(189),
    entry<DomainHasCurrentSnapshot>(190),
    entry<DomainSnapshotCurrent>(191),
    entry<DomainSetMetadata>(264),
    entry<DomainGetMetadata>(265),
    entry<DomainListAllSnapshots>(274),
    entry<DomainGetSecurityLabelList>(278),
    entry<DomainGetJobStats>(298),
    entry<DomainListAllCheckpoints>(413),
    entry<DomainCheckpointLookupByName>(415),
    entry<DomainAbortJobFlags>(442),
};
static_assert(sorted_once(entries));

} // namespace

std::span<const Entry> domain_tune_entries() { return entries; }

} // namespace cloister::rpc
