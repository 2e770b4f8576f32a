#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

template <> void complete<Watchdog>(Watchdog& watchdog, const CompleteContext&) {
    if (!watchdog.action) watchdog.action = WatchdogAction::reset;
}

template <> Result<> check<Watchdog>(const Watchdog& watchdog, const CompleteContext& context) {
    switch (watchdog.model) {
    case WatchdogModel::i6300esb:
        if (watchdog.info.address && !address_of<PciAddress>(watchdog.info) &&
            !std::holds_alternative<std::monostate>(watchdog.info.address->where))
            return fail(Code::config_unsupported, tr("{0} model of watchdog can go only on PCI bus",
                                                     names<WatchdogModel>.text(watchdog.model)));
        break;
    case WatchdogModel::ib700:
        if (watchdog.info.address)
            return fail(Code::config_unsupported, tr("{0} model of watchdog can go only on ISA bus",
                                                     names<WatchdogModel>.text(watchdog.model)));
        break;
    case WatchdogModel::diag288:
        return fail(Code::config_unsupported, tr("{0} model of watchdog is only supported on S390 guests",
                                                 names<WatchdogModel>.text(watchdog.model)));
    case WatchdogModel::itco:
        if (!is_q35(context.domain))
            return fail(Code::config_unsupported, tr("{0} model of watchdog is only part of q35 machine",
                                                     names<WatchdogModel>.text(watchdog.model)));
        break;
    }
    return {};
}

template <> Result<DevicePlan> plan<Watchdog>(const Watchdog& watchdog, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(watchdog.info, "watchdog", context.index);
    const auto why = "watchdog " + id;
    if (watchdog.model == WatchdogModel::itco) {
        out.items.push_back({"global", "ICH9-LPC.noreboot=off", why}); // the chipset has it, switched off
    } else {
        const std::string driver(names<WatchdogModel>.text(watchdog.model));
        if (!context.caps.has_type(driver))
            return fail(Code::config_unsupported, tr("'{0}' is not supported in this QEMU binary", driver));
        boost::json::object props{{"driver", driver}, {"id", id}};
        TRY(add_address(props, watchdog.info, context.domain));
        out.items.push_back({"device", std::move(props), why});
    }
    if (context.index > 0) return out; // one action for all of them
    auto action = watchdog.action.value_or(WatchdogAction::reset);
    if (action == WatchdogAction::dump) action = WatchdogAction::pause; // the driver dumps, then resumes
    out.items.push_back({"watchdog-action", std::string(names<WatchdogAction>.text(action)), why});
    return out;
}

} // namespace cloister
