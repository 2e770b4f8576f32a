#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

/// QEMU's filter string: "CLASS:VENDOR:PRODUCT:VERSION:ALLOW" for each rule, -1 for any.
std::string filter_text(const RedirFilter& filter) {
    const auto field = [](const auto& value, int digits) {
        return value ? fmt::format("0x{:0{}X}", value->value, digits) : std::string("-1");
    };
    std::string out;
    for (const auto& rule : filter.rules) {
        std::string version = "-1";
        if (rule.version) {
            // "2.10" is binary-coded: 0x0210
            const auto dot = rule.version->find('.');
            auto major = rule.version->substr(0, dot);
            const auto minor = dot == std::string::npos ? std::string("00") : rule.version->substr(dot + 1);
            major.insert(0, major.size() < 2 ? 2 - major.size() : 0, '0');
            version = "0x" + major + minor;
        }
        if (!out.empty()) out += '|';
        out += fmt::format("{}:{}:{}:{}:{}", field(rule.usb_class, 2), field(rule.vendor, 4),
                           field(rule.product, 4), version, rule.allow == YesNo::yes ? 1 : 0);
    }
    return out;
}

} // namespace

template <> void complete(Redirdev& device, const CompleteContext&) {
    if (!device.bus) device.bus = RedirBus::usb;
    complete_chardev(device.chardev);
}

template <> Result<> check(const Redirdev& device, const CompleteContext&) {
    return check_chardev(device.chardev);
}

template <> Result<DevicePlan> plan(const Redirdev& device, const PlanContext& context) {
    const auto id = id_of(device.info, "redir", context.index);
    const auto why = "redirdev " + id;
    DevicePlan out;
    TRY(add_chardev(out, device.chardev, {}, {.alias = id, .why = why, .spice_name = "usbredir"}, context));
    if (!context.caps.has_type("usb-redir"))
        return fail(Code::config_unsupported, tr("USB redirection is not supported by this version of QEMU"));
    boost::json::object props{{"driver", "usb-redir"}, {"chardev", "char" + id}, {"id", id}};
    if (const auto filters = devices_of<RedirFilter>(context.domain); !filters.empty())
        props["filter"] = filter_text(*filters.front());
    if (device.info.boot) add_boot_index(props, device.info.boot->order);
    TRY(add_address(props, device.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

/// "9.4" is 9.40: the digits behind the point are two.
template <> void complete(RedirFilter& filter, const CompleteContext&) {
    for (auto& rule : filter.rules) {
        if (!rule.version) continue;
        const auto dot = rule.version->find('.');
        if (dot == std::string::npos)
            *rule.version += ".00";
        else if (const auto digits = rule.version->size() - dot - 1; digits < 2)
            rule.version->append(2 - digits, '0');
    }
}

template <> Result<> check(const RedirFilter& filter, const CompleteContext&) {
    for (const auto& rule : filter.rules)
        if (rule.version && (rule.version->empty() || rule.version->size() > 5 ||
                             rule.version->find_first_not_of("0123456789.") != std::string::npos))
            return fail(Code::internal, tr("Cannot parse USB device version {0}", *rule.version));
    return {};
}

/// It is a part of every redirected port.
template <> Result<DevicePlan> plan(const RedirFilter&, const PlanContext&) { return DevicePlan{}; }

} // namespace cloister
