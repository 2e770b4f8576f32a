#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

template <> void complete<Panic>(Panic& panic, const CompleteContext&) {
    if (!panic.model) panic.model = PanicModel::isa;
}

template <> Result<> check<Panic>(const Panic& panic, const CompleteContext&) {
    const auto model = panic.model.value_or(PanicModel::isa);
    const bool has_address =
        panic.info.address && !std::holds_alternative<std::monostate>(panic.info.address->where);
    switch (model) {
    case PanicModel::s390:
        return fail(Code::config_unsupported, tr("only S390 guests support panic device of model '{0}'",
                                                 names<PanicModel>.text(model)));
    case PanicModel::pseries:
        return fail(Code::config_unsupported, tr("only pSeries guests support panic device of model '{0}'",
                                                 names<PanicModel>.text(model)));
    case PanicModel::hyperv:
        if (has_address)
            return fail(Code::config_unsupported,
                        tr("setting the panic device address is not supported for model '{0}'",
                           names<PanicModel>.text(model)));
        break;
    case PanicModel::isa:
        if (has_address && !address_of<IsaAddress>(panic.info))
            return fail(Code::config_unsupported, tr("panic is supported only with ISA address type"));
        break;
    case PanicModel::pvpanic: break;
    }
    return {};
}

template <> Result<DevicePlan> plan<Panic>(const Panic& panic, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(panic.info, "panic", context.index);
    const auto why = "panic " + id;
    const auto model = panic.model.value_or(PanicModel::isa);
    if (model == PanicModel::hyperv) return out; // a CPU feature (hv-crash)
    const std::string driver = model == PanicModel::pvpanic ? "pvpanic-pci" : "pvpanic";
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("the QEMU binary does not support the {0} device", driver));
    boost::json::object props{{"driver", driver}};
    if (const auto* isa = address_of<IsaAddress>(panic.info)) {
        if (isa->iobase) props["ioport"] = isa->iobase->value;
    } else if (model == PanicModel::pvpanic) {
        props["id"] = id;
        TRY(add_address(props, panic.info, context.domain));
    }
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
