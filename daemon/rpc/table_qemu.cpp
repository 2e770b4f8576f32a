/// The table of the qemu program: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/agent.hpp"
#include "driver/op/monitor_command.hpp"

namespace cloister::rpc {

namespace {

constexpr std::array entries{
    entry<QemuDomainMonitorCommand>(1),
    entry<QemuDomainAgentCommand>(3),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> qemu_entries = entries;

} // namespace cloister::rpc
