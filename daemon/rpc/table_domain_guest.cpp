/// The table of what goes on inside a guest: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/agent.hpp"
#include "driver/op/input.hpp"
#include "driver/op/stats.hpp"

namespace cloister::rpc {

namespace {

constexpr std::array entries{
    entry<DomainInterfaceStats>(65),
    entry<DomainInjectNmi>(210),
    entry<DomainSendKey>(226),
    entry<DomainPmSuspendForDuration>(261),
    entry<DomainGetHostname>(277),
    entry<DomainFstrim>(294),
    entry<DomainFsfreeze>(335),
    entry<DomainFsthaw>(336),
    entry<DomainGetTime>(337),
    entry<DomainSetTime>(338),
    entry<DomainGetFsinfo>(349),
    entry<DomainInterfaceAddresses>(353),
    entry<DomainSetUserPassword>(357),
    entry<DomainGetGuestVcpus>(371),
    entry<DomainSetGuestVcpus>(372),
    entry<DomainGetGuestInfo>(418),
    entry<DomainAgentSetResponseTimeout>(420),
    entry<DomainAuthorizedSshKeysGet>(424),
    entry<DomainAuthorizedSshKeysSet>(425),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> domain_guest_entries = entries;

} // namespace cloister::rpc
