#include "conf/base/tr.hpp"
#include "driver/device/device.hpp"

namespace cloister {

template <> void complete<Nvram>(Nvram&, const CompleteContext&) {}

template <> Result<> check<Nvram>(const Nvram&, const CompleteContext&) {
    return fail(Code::config_unsupported, tr("nvram device is only supported for PPC64"));
}

template <> Result<DevicePlan> plan<Nvram>(const Nvram&, const PlanContext&) {
    return fail(Code::config_unsupported, tr("nvram device is only supported for PPC64"));
}

} // namespace cloister
