/// The table of connections: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/list.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<ConnectListDefinedDomains>(21), entry<ConnectNumOfDefinedDomains>(25),
    entry<ConnectListDomains>(37),        entry<ConnectNumOfDomains>(51),
    entry<ConnectListAllDomains>(273),
};
static_assert(sorted_once(entries));

} // namespace

std::span<const Entry> connect_entries() { return entries; }

} // namespace cloister::rpc
