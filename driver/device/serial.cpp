#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

/// The model that a kind of serial port has unless the definition says otherwise.
std::string default_model(SerialTargetType type) {
    switch (type) {
    case SerialTargetType::isa_serial: return "isa-serial";
    case SerialTargetType::usb_serial: return "usb-serial";
    case SerialTargetType::pci_serial: return "pci-serial";
    case SerialTargetType::spapr_vio_serial: return "spapr-vty";
    case SerialTargetType::system_serial: return "pl011";
    case SerialTargetType::sclp_serial: return "sclpconsole";
    case SerialTargetType::isa_debug: return "isa-debugcon";
    }
    return {};
}

std::optional<SerialTargetType> type_by_address(const DeviceInfo& info) {
    if (address_of<UsbAddress>(info)) return SerialTargetType::usb_serial;
    if (address_of<PciAddress>(info)) return SerialTargetType::pci_serial;
    return std::nullopt;
}

} // namespace

template <> void complete<Serial>(Serial& serial, const CompleteContext& context) {
    complete_chardev(serial.chardev);
    auto& target = serial.target ? *serial.target : serial.target.emplace();
    if (!target.port) target.port = context.index;
    if (!target.type) target.type = type_by_address(serial.info).value_or(SerialTargetType::isa_serial);
    if (!target.model) target.model = SerialModel{.name = default_model(*target.type)};
}

template <> Result<> check<Serial>(const Serial& serial, const CompleteContext&) {
    TRY(check_chardev(serial.chardev));
    if (!serial.target || !serial.target->type) return {};
    const auto type = *serial.target->type;
    switch (type) {
    case SerialTargetType::isa_serial:
    case SerialTargetType::isa_debug:
        if (serial.info.address && !address_of<IsaAddress>(serial.info) &&
            !std::holds_alternative<std::monostate>(serial.info.address->where))
            return fail(Code::xml, tr("Target type '{0}' requires address type 'isa'",
                                      names<SerialTargetType>.text(type)));
        break;
    case SerialTargetType::usb_serial:
        if (serial.info.address && !address_of<UsbAddress>(serial.info) &&
            !std::holds_alternative<std::monostate>(serial.info.address->where))
            return fail(Code::xml, tr("Target type '{0}' requires address type 'usb'",
                                      names<SerialTargetType>.text(type)));
        break;
    case SerialTargetType::pci_serial:
        if (serial.info.address && !address_of<PciAddress>(serial.info) &&
            !std::holds_alternative<std::monostate>(serial.info.address->where))
            return fail(Code::xml, tr("Target type '{0}' requires address type 'pci'",
                                      names<SerialTargetType>.text(type)));
        break;
    case SerialTargetType::spapr_vio_serial:
    case SerialTargetType::system_serial:
    case SerialTargetType::sclp_serial:
        return fail(Code::config_unsupported,
                    tr("Serial device with target type '{0}' and target model '{1}' "
                       "not compatible with guest architecture or machine type",
                       names<SerialTargetType>.text(type),
                       serial.target->model ? serial.target->model->name : default_model(type)));
    }
    if (serial.target->model && serial.target->model->name != default_model(type))
        return fail(Code::config_unsupported,
                    tr("Target model '{0}' requires another target type than '{1}'",
                       serial.target->model->name, names<SerialTargetType>.text(type)));
    return {};
}

template <> Result<DevicePlan> plan<Serial>(const Serial& serial, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(serial.info, "serial", context.index);
    const auto why = "serial " + id;
    TRY(add_chardev(out, serial.chardev, serial.log, {.alias = id, .why = why, .spice_name = "vdagent"},
                    context));
    const auto type =
        serial.target && serial.target->type ? *serial.target->type : SerialTargetType::isa_serial;
    const auto driver =
        serial.target && serial.target->model ? serial.target->model->name : default_model(type);
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("'{0}' is not supported in this QEMU binary", driver));
    boost::json::object props{{"driver", driver}, {"chardev", "char" + id}, {"id", id}};
    if (type == SerialTargetType::isa_serial)
        props["index"] = serial.target ? serial.target->port.value_or(context.index) : context.index;
    TRY(add_address(props, serial.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
