#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

namespace cloister {

template <> void complete(Hub&, const CompleteContext&) {}

template <> Result<> check(const Hub&, const CompleteContext&) { return {}; }

template <> Result<DevicePlan> plan(const Hub& hub, const PlanContext& context) {
    if (!context.caps.has_type("usb-hub"))
        return fail(Code::config_unsupported, tr("usb-hub not supported by QEMU binary"));
    const auto id = id_of(hub.info, "hub", context.index);
    boost::json::object props{{"driver", "usb-hub"}, {"id", id}};
    TRY(add_address(props, hub.info, context.domain));
    DevicePlan out;
    out.items.push_back({"device", std::move(props), "hub " + id});
    return out;
}

} // namespace cloister
