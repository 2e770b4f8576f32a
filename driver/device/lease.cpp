#include "conf/base/tr.hpp"
#include "driver/device/device.hpp"

namespace cloister {

template <> void complete(Lease&, const CompleteContext&) {}

template <> Result<> check(const Lease& lease, const CompleteContext&) {
    if (!lease.key) return fail(Code::xml, tr("Missing 'key' element for lease"));
    if (!lease.target) return fail(Code::xml, tr("Missing 'target' element for lease"));
    return {};
}

/// A guest without its lock would not be safe from a second start elsewhere.
template <> Result<DevicePlan> plan(const Lease& lease, const PlanContext& context) {
    return fail(Code::config_unsupported, tr("lease '{0}' cannot be taken: lock manager '{1}' has no leases",
                                             lease.key.value_or(""), context.conf.lock_manager));
}

} // namespace cloister
