#include "driver/device/channel.hpp"

#include "conf/base/tr.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

const VirtioChannel* virtio_of(const Channel& channel) {
    return channel.target ? std::get_if<VirtioChannel>(&channel.target->kind) : nullptr;
}
const GuestfwdChannel* guestfwd_of(const Channel& channel) {
    return channel.target ? std::get_if<GuestfwdChannel>(&channel.target->kind) : nullptr;
}

} // namespace

std::optional<std::string> automatic_path(const Channel& channel, const LaunchPaths& paths) {
    const auto* local = std::get_if<UnixChardev>(&channel.chardev.how);
    const auto* target = virtio_of(channel);
    if (!local || !target || (local->source && local->source->path)) return std::nullopt;
    return paths.channel_dir + "/" +
           target->name.value_or(channel.info.alias ? channel.info.alias->name : "");
}

namespace {

/// A path that the daemon chose for an earlier run: …/domain-[ID-]NAME/TARGET, or …/NAME.TARGET of old
/// daemons, below a folder called "channel" or "target".
bool is_generated(std::string_view path, const Domain& domain, std::string_view target) {
    const auto slash = path.rfind('/');
    if (target.empty() || slash == std::string_view::npos) return false;
    const auto name = std::string_view(domain.name).substr(0, 20);
    const auto file = path.substr(slash + 1);
    auto folder = path.substr(0, slash);
    folder = folder.substr(folder.rfind('/') + 1);
    if (folder == "channel" || folder == "target") return file == domain.name + "." + std::string(target);
    constexpr std::string_view head = "domain-";
    if (file != target || !folder.starts_with(head)) return false;
    folder.remove_prefix(head.size());
    if (folder == name) return true;
    const auto digits = folder.find_first_not_of("0123456789");
    return digits != std::string_view::npos && digits > 0 && folder[digits] == '-' &&
           folder.substr(digits + 1) == name;
}

} // namespace

template <> void complete<Channel>(Channel& channel, const CompleteContext& context) {
    complete_chardev(channel.chardev);
    if (auto* local = std::get_if<UnixChardev>(&channel.chardev.how);
        !context.live && local && local->source && local->source->path &&
        local->source->mode == SocketMode::bind && virtio_of(channel) &&
        is_generated(*local->source->path, context.domain, virtio_of(channel)->name.value_or("")))
        local->source.reset();
    if (!channel.target) return;
    auto* target = std::get_if<VirtioChannel>(&channel.target->kind);
    if (!target || target->name) return;
    if (std::holds_alternative<SpiceVmcChardev>(channel.chardev.how) ||
        std::holds_alternative<VdagentChardev>(channel.chardev.how))
        target->name = "com.redhat.spice.0";
}

template <> Result<> check<Channel>(const Channel& channel, const CompleteContext&) {
    TRY(check_chardev(channel.chardev, virtio_of(channel) != nullptr));
    if (!channel.target || std::holds_alternative<std::monostate>(channel.target->kind))
        return fail(Code::xml, tr("target type must be specified for channel device"));
    if (std::holds_alternative<XenChannel>(channel.target->kind))
        return fail(Code::config_unsupported, tr("unsupported channel target type 'xen'"));
    if (const auto* forward = guestfwd_of(channel)) {
        if (!forward->address)
            return fail(Code::xml, tr("guestfwd channel does not define a target address"));
        if (!forward->port) return fail(Code::xml, tr("guestfwd channel does not define a target port"));
    }
    if (const auto* target = virtio_of(channel);
        target && std::holds_alternative<SpiceVmcChardev>(channel.chardev.how) &&
        target->name != "com.redhat.spice.0")
        return fail(Code::config_unsupported,
                    tr("Unsupported spicevmc target name '{0}'", target->name.value_or("")));
    return {};
}

template <> Result<DevicePlan> plan<Channel>(const Channel& channel, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(channel.info, "channel", context.index);
    const auto why = "channel " + id;
    auto chardev = channel.chardev;
    if (const auto path = automatic_path(channel, context.paths))
        chardev.how = UnixChardev{UnixSource{.mode = SocketMode::bind, .path = path}};
    TRY(add_chardev(out, chardev, channel.log, {.alias = id, .why = why, .spice_name = "vdagent"}, context));

    if (const auto* forward = guestfwd_of(channel)) {
        const auto rule = "tcp:" + forward->address.value_or("") + ":" +
                          std::to_string(forward->port.value_or(0)) + "-chardev:char" + id;
        out.items.push_back({"netdev", KeyValues{"user"}.add("guestfwd", rule).add("id", id).text(), why});
        return out;
    }
    boost::json::object props{{"driver", "virtserialport"}};
    add_port(props, channel.info, context.domain);
    props["chardev"] = "char" + id;
    props["id"] = id;
    if (const auto* target = virtio_of(channel); target && target->name) props["name"] = *target->name;
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
