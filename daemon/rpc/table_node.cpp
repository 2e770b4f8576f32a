/// The table of the host: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/node.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<NodeGetInfo>(6),
    entry<NodeGetCellsFreeMemory>(101),
    entry<NodeGetFreeMemory>(102),
    entry<NodeGetSecurityModel>(122),
    entry<NodeGetCpuStats>(227),
    entry<NodeGetMemoryStats>(228),
    entry<NodeGetMemoryParameters>(289),
    entry<NodeGetCpuMap>(293),
    entry<NodeGetFreePages>(340),
    entry<NodeGetSevInfo>(395),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> node_entries = entries;

} // namespace cloister::rpc
