#include "conf/base/tr.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

// The first console of an x86 guest is its first serial port under another name (the planner makes the one
// from the other), so only virtio consoles are devices of their own.

template <> void complete<Console>(Console& console, const CompleteContext& context) {
    complete_chardev(console.chardev);
    auto& target = console.target ? *console.target : console.target.emplace();
    if (!target.port) target.port = context.index;
    if (!target.type) target.type = ConsoleTargetType::serial;
}

template <> Result<> check<Console>(const Console& console, const CompleteContext&) {
    TRY(check_chardev(console.chardev));
    if (!console.target || !console.target->type) return {};
    const auto type = *console.target->type;
    if (type != ConsoleTargetType::serial && type != ConsoleTargetType::virtio)
        return fail(Code::config_unsupported,
                    tr("unsupported console target type {0}", names<ConsoleTargetType>.text(type)));
    return {};
}

template <> Result<DevicePlan> plan<Console>(const Console& console, const PlanContext& context) {
    DevicePlan out;
    if (!console.target || console.target->type != ConsoleTargetType::virtio) return out;
    const auto id = id_of(console.info, "console", context.index);
    const auto why = "console " + id;
    TRY(add_chardev(out, console.chardev, console.log, {.alias = id, .why = why, .spice_name = "vdagent"},
                    context));
    boost::json::object props{{"driver", "virtconsole"}};
    add_port(props, console.info, context.domain); // without an address QEMU finds a place
    props["chardev"] = "char" + id;
    props["id"] = id;
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
