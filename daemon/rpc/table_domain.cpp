/// The table of the life and the definition of domains: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/autostart.hpp"
#include "driver/op/define.hpp"
#include "driver/op/info.hpp"
#include "driver/op/lifecycle.hpp"
#include "driver/op/list.hpp"
#include "driver/op/xml.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<DomainCreate>(9),         entry<DomainCreateXml>(10),        entry<DomainDefineXml>(11),
    entry<DomainDestroy>(12),       entry<DomainGetXmlDesc>(14),       entry<DomainGetAutostart>(15),
    entry<DomainGetInfo>(16),       entry<DomainGetOsType>(19),        entry<DomainLookupById>(22),
    entry<DomainLookupByName>(23),  entry<DomainLookupByUuid>(24),     entry<DomainReboot>(27),
    entry<DomainResume>(28),        entry<DomainSetAutostart>(29),     entry<DomainShutdown>(33),
    entry<DomainSuspend>(34),       entry<DomainUndefine>(35),         entry<DomainIsActive>(150),
    entry<DomainIsPersistent>(151), entry<DomainCreateWithFlags>(196), entry<DomainIsUpdated>(202),
    entry<DomainGetState>(212),     entry<DomainGetControlInfo>(229),  entry<DomainUndefineFlags>(231),
    entry<DomainDestroyFlags>(234), entry<DomainReset>(245),           entry<DomainShutdownFlags>(258),
    entry<DomainPmWakeup>(267),     entry<DomainDefineXmlFlags>(350),  entry<DomainRename>(358),
    entry<DomainGetMessages>(426),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> domain_entries = entries;

} // namespace cloister::rpc
