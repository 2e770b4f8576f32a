/// The table of connections: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/host.hpp"
#include "driver/op/list.hpp"
#include "driver/op/native.hpp"
#include "driver/op/stats.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<ConnectGetType>(3),
    entry<ConnectGetVersion>(4),
    entry<ConnectGetMaxVcpus>(5),
    entry<ConnectGetCapabilities>(7),
    entry<ConnectListDefinedDomains>(21),
    entry<ConnectNumOfDefinedDomains>(25),
    entry<ConnectListDomains>(37),
    entry<ConnectNumOfDomains>(51),
    entry<ConnectGetHostname>(59),
    entry<ConnectDomainXmlToNative>(136),
    entry<ConnectGetLibVersion>(157),
    entry<ConnectGetSysinfo>(203),
    entry<ConnectListAllDomains>(273),
    entry<ConnectGetCpuModelNames>(312),
    entry<ConnectGetDomainCapabilities>(342),
    entry<ConnectGetAllDomainStats>(344),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> connect_entries = entries;

} // namespace cloister::rpc
