/// The table of processors, memory, tuning and history of domains: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/history.hpp"
#include "driver/op/info.hpp"
#include "driver/op/memory.hpp"
#include "driver/op/metadata.hpp"
#include "driver/op/stats.hpp"
#include "driver/op/tuning.hpp"
#include "driver/op/vcpu.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<DomainGetMaxMemory>(17),
    entry<DomainGetMaxVcpus>(18),
    entry<DomainGetVcpus>(20),
    entry<DomainPinVcpu>(26),
    entry<DomainSetMaxMemory>(30),
    entry<DomainSetMemory>(31),
    entry<DomainSetVcpus>(32),
    entry<DomainGetSchedulerType>(56),
    entry<DomainGetSchedulerParameters>(57),
    entry<DomainGetSecurityLabel>(121),
    entry<DomainMemoryStats>(159),
    entry<DomainGetJobInfo>(163),
    entry<DomainAbortJob>(164),
    entry<DomainHasManagedSaveImage>(183),
    entry<DomainSnapshotNum>(187),
    entry<DomainSnapshotListNames>(188),
    entry<DomainSnapshotLookupByName>(189),
    entry<DomainHasCurrentSnapshot>(190),
    entry<DomainSnapshotCurrent>(191),
    entry<DomainGetMemoryParameters>(198),
    entry<DomainSetVcpusFlags>(199),
    entry<DomainGetVcpusFlags>(200),
    entry<DomainSetMemoryFlags>(204),
    entry<DomainGetBlkioParameters>(206),
    entry<DomainGetSchedulerParametersFlags>(223),
    entry<DomainPinVcpuFlags>(225),
    entry<DomainGetVcpuPinInfo>(230),
    entry<DomainGetBlockIoTune>(253),
    entry<DomainGetNumaParameters>(255),
    entry<DomainGetInterfaceParameters>(257),
    entry<DomainGetDiskErrors>(263),
    entry<DomainSetMetadata>(264),
    entry<DomainGetMetadata>(265),
    entry<DomainListAllSnapshots>(274),
    entry<DomainGetSecurityLabelList>(278),
    entry<DomainPinEmulator>(279),
    entry<DomainGetEmulatorPinInfo>(280),
    entry<DomainGetJobStats>(298),
    entry<DomainSetMemoryStatsPeriod>(308),
    entry<DomainGetIothreadInfo>(351),
    entry<DomainGetPerfEvents>(365),
    entry<DomainListAllCheckpoints>(413),
    entry<DomainCheckpointLookupByName>(415),
    entry<DomainAbortJobFlags>(442),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> domain_tune_entries = entries;

} // namespace cloister::rpc
