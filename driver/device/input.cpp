#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::optional<std::string> model_text(const Input& input) {
    if (!input.model) return std::nullopt;
    return std::string(names<InputModel>.text(*input.model));
}

DevicePlan linux_input(const Input& input, const std::string& id, const std::string& why) {
    DevicePlan out;
    const auto source = input.source.value_or(InputSource{});
    boost::json::object props{{"qom-type", "input-linux"}, {"id", id}, {"evdev", source.dev.value_or("")}};
    if (source.repeat) props["repeat"] = source.repeat == Switch::on;
    if (source.grab == InputGrab::all) props["grab_all"] = true;
    if (source.grab_toggle) props["grab-toggle"] = names<GrabToggle>.text(*source.grab_toggle);
    out.items.push_back({"object", std::move(props), why});
    out.grants.push_back({.path = source.dev.value_or(""),
                          .kind = Kind::char_device,
                          .access = Access::read_write,
                          .why = why});
    return out;
}

std::string_view virtio_family(InputType type) {
    switch (type) {
    case InputType::mouse: return "virtio-mouse";
    case InputType::tablet: return "virtio-tablet";
    case InputType::keyboard: return "virtio-keyboard";
    case InputType::passthrough: return "virtio-input-host";
    case InputType::evdev: break;
    }
    return {};
}
std::string_view usb_driver(InputType type) {
    switch (type) {
    case InputType::mouse: return "usb-mouse";
    case InputType::tablet: return "usb-tablet";
    case InputType::keyboard: return "usb-kbd";
    case InputType::passthrough:
    case InputType::evdev: break;
    }
    return {};
}

} // namespace

template <> void complete<Input>(Input& input, const CompleteContext&) {
    if (input.bus) return;
    switch (input.type) {
    case InputType::evdev: return;
    case InputType::passthrough: input.bus = InputBus::virtio; return;
    case InputType::tablet: input.bus = InputBus::usb; return;
    case InputType::mouse:
    case InputType::keyboard:
        if (address_of<UsbAddress>(input.info))
            input.bus = InputBus::usb;
        else if (address_of<PciAddress>(input.info))
            input.bus = InputBus::virtio;
        else
            input.bus = InputBus::ps2;
    }
}

template <> Result<> check<Input>(const Input& input, const CompleteContext&) {
    const auto bus = input.bus.value_or(InputBus::none);
    if (input.type == InputType::evdev) {
        if (!input.source || !input.source->dev)
            return fail(Code::xml, tr("missing input device source path attribute"));
        return {};
    }
    if (input.type == InputType::passthrough) {
        if (bus != InputBus::virtio)
            return fail(Code::config_unsupported,
                        tr("input type '{0}' requires bus 'virtio'", names<InputType>.text(input.type)));
        if (!input.source || !input.source->evdev)
            return fail(Code::xml, tr("missing evdev path for input device passthrough"));
        return {};
    }
    if (bus == InputBus::ps2 && input.type == InputType::tablet)
        return fail(Code::config_unsupported,
                    tr("ps2 bus does not support {0} input device", names<InputType>.text(input.type)));
    if (bus == InputBus::xen || bus == InputBus::parallels)
        return fail(Code::config_unsupported, tr("unsupported input bus {0}", names<InputBus>.text(bus)));
    if (input.model && bus != InputBus::virtio)
        return fail(Code::config_unsupported,
                    tr("only bus 'virtio' supports 'model' attribute for input devices"));
    return {};
}

template <> Result<DevicePlan> plan<Input>(const Input& input, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(input.info, "input", context.index);
    const auto why = "input " + id;
    if (input.type == InputType::evdev) return linux_input(input, id, why);
    boost::json::object props{};
    switch (input.bus.value_or(InputBus::ps2)) {
    case InputBus::none:
    case InputBus::ps2: return out; // the machine has them
    case InputBus::usb: props["driver"] = usb_driver(input.type); break;
    case InputBus::virtio:
        props["driver"] = virtio_pci_driver(virtio_family(input.type), model_text(input));
        if (input.driver) add_virtio_options(props, input.driver->options);
        break;
    case InputBus::xen:
    case InputBus::parallels:
        return fail(Code::config_unsupported,
                    tr("unsupported input bus {0}", names<InputBus>.text(*input.bus)));
    }
    const std::string driver(props["driver"].as_string());
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("'{0}' is not supported in this QEMU binary", driver));
    props["id"] = id;
    if (input.type == InputType::passthrough) {
        const auto path = input.source ? input.source->evdev.value_or("") : "";
        props["evdev"] = path;
        out.grants.push_back(
            {.path = path, .kind = Kind::char_device, .access = Access::read_write, .why = why});
    }
    TRY(add_address(props, input.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
