#include "driver/op/monitor_command.hpp"

#include "conf/base/tr.hpp"
#include "driver/op/find.hpp"
#include "driver/qmp/client.hpp"
#include "driver/stop.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace cloister {

namespace {

namespace json = boost::json;

struct Command {
    std::string name{};
    json::object arguments{};
    std::string id = "libvirt-1";
};

Result<Command> command_in(const std::string& text) {
    boost::system::error_code bad;
    const auto parsed = json::parse(text, bad);
    const auto* members = bad ? nullptr : parsed.if_object();
    const auto* name = members ? members->if_contains("execute") : nullptr;
    if (!name || !name->is_string())
        return refuse(Code::invalid_arg, tr("cannot parse the monitor command as JSON"));
    Command out{.name = std::string(name->get_string())};
    if (const auto* arguments = members->if_contains("arguments"); arguments && arguments->is_object())
        out.arguments = arguments->get_object();
    if (const auto* id = members->if_contains("id"); id && id->is_string())
        out.id = std::string(id->get_string());
    return out;
}

/// What QEMU said when it refused, without what the monitor put before it.
std::string description(const Error& error) {
    const auto at = error.message.find("': ");
    return at == std::string::npos ? error.message : error.message.substr(at + 3);
}

} // namespace

Task<Result<QemuDomainMonitorCommand::Out>> QemuDomainMonitorCommand::run(Call call, In in) {
    constexpr std::uint32_t human = 1;
    CO_CHECK(check_flags(in.flags, human, "qemuDomainQemuMonitorCommandWithFiles"));
    CO_TRY(guest, find(call, in.dom));
    constexpr Permission passthrough{"cloister", "passthrough"}; // what it can do, arguments can do, too
    if (call.rights) CO_CHECK(co_await call.rights->may(passthrough, call.about));
    Command command{.name = "human-monitor-command", .arguments = {{"command-line", in.cmd.value}}};
    if (!(in.flags & human)) {
        CO_TRY(parsed, command_in(in.cmd.value));
        command = parsed;
    }
    CO_TRY(turn, co_await change(guest, "virDomainQemuMonitorCommand"));
    CO_TRY(monitor, need_monitor(*guest));
    if (std::ranges::find(guest->taints, "custom-monitor") == guest->taints.end()) {
        guest->taints.push_back("custom-monitor");
        co_await status_saved(call.driver, guest);
    }
    auto answer = co_await monitor->execute(command.name, command.arguments);
    if (in.flags & human) {
        if (!answer) co_return std::unexpected(std::move(answer).error());
        co_return Out{{answer->is_string() ? std::string(answer->get_string()) : json::serialize(*answer)}};
    }
    json::object reply;
    if (answer) {
        reply["return"] = *answer;
    } else {
        const auto kind = qmp::error_class(answer.error());
        if (kind.empty()) co_return std::unexpected(std::move(answer).error());
        reply["error"] = json::object{{"class", kind}, {"desc", description(answer.error())}};
    }
    reply["id"] = command.id;
    co_return Out{{json::serialize(reply)}};
}

} // namespace cloister
