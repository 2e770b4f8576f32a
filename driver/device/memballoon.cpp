#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::optional<std::string> model_text(BalloonModel model) {
    if (model == BalloonModel::virtio_transitional || model == BalloonModel::virtio_non_transitional)
        return std::string(names<BalloonModel>.text(model));
    return std::nullopt;
}

} // namespace

template <> void complete<Memballoon>(Memballoon&, const CompleteContext&) {}

template <> Result<> check<Memballoon>(const Memballoon& balloon, const CompleteContext&) {
    if (balloon.model == BalloonModel::xen)
        return fail(Code::config_unsupported, tr("Memory balloon device type '{0}' is not supported by this "
                                                 "version of qemu",
                                                 names<BalloonModel>.text(balloon.model)));
    if (balloon.model != BalloonModel::none && balloon.info.address &&
        !address_of<PciAddress>(balloon.info) &&
        !std::holds_alternative<std::monostate>(balloon.info.address->where))
        return fail(Code::config_unsupported, tr("unsupported address type for memory balloon"));
    return {};
}

template <> Result<DevicePlan> plan<Memballoon>(const Memballoon& balloon, const PlanContext& context) {
    DevicePlan out;
    if (balloon.model == BalloonModel::none) return out;
    const auto id = id_of(balloon.info, "balloon", context.index);
    const auto why = "memballoon " + id;
    const auto driver = virtio_pci_driver("virtio-balloon", model_text(balloon.model));
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("'{0}' is not supported in this QEMU binary", driver));
    boost::json::object props{{"driver", driver}};
    if (balloon.driver) add_virtio_options(props, balloon.driver->options);
    props["id"] = id;
    if (balloon.autodeflate) props["deflate-on-oom"] = balloon.autodeflate == Switch::on;
    if (balloon.free_page_reporting) {
        if (!context.caps.has_property(driver, "free-page-reporting"))
            return fail(Code::config_unsupported,
                        tr("free page reporting is not supported by this QEMU binary"));
        props["free-page-reporting"] = balloon.free_page_reporting == Switch::on;
    }
    TRY(add_address(props, balloon.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    if (balloon.stats && balloon.stats->period > 0)
        out.monitor_commands.emplace_back("qom-set",
                                          boost::json::object{{"path", "/machine/peripheral/" + id},
                                                              {"property", "guest-stats-polling-interval"},
                                                              {"value", balloon.stats->period}});
    return out;
}

} // namespace cloister
