#include "driver/op/agent.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/agent.hpp"
#include "driver/device/secret.hpp"
#include "driver/op/find.hpp"
#include "driver/op/typed_params.hpp"
#include "driver/qmp/client.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cloister {

namespace {

namespace json = boost::json;

Error nonsense(std::string_view command) {
    return Error{.code = Code::internal,
                 .message = tr("the guest agent's answer to '{0}' is malformed", command),
                 .domain = ErrorDomain::qemu};
}
std::unexpected<Error> malformed(std::string_view command) { return std::unexpected(nonsense(command)); }

std::string text_in(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
std::optional<std::int64_t> number_in(const json::value& value) {
    if (value.is_int64()) return value.get_int64();
    if (value.is_uint64()) return static_cast<std::int64_t>(value.get_uint64());
    return std::nullopt;
}
/// The objects of a list that the agent returned; what is no object is left out.
std::vector<const json::object*> objects_in(const json::value* value) {
    std::vector<const json::object*> out;
    const auto* list = value ? value->if_array() : nullptr;
    if (!list) return out;
    for (const auto& item : *list)
        if (const auto* object = item.if_object()) out.push_back(object);
    return out;
}

/// The domain, running and with its agent there.
Result<GuestPointer> reachable(const Call& call, const call::DomainHandle& handle) {
    auto guest = TRY(find(call, handle));
    TRY(need_running(*guest));
    TRY(need_agent(*guest));
    return guest;
}

json::array texts(const std::vector<Text<>>& items) {
    json::array out;
    for (const auto& item : items) out.emplace_back(item.value);
    return out;
}

Task<Result<std::int32_t>> counted(GuestPointer guest, std::string command, json::object arguments) {
    CO_TRY(answer, co_await ask_agent(guest, command, std::move(arguments)));
    const auto count = number_in(answer);
    if (!count || *count < 0 || *count > INT32_MAX) co_return malformed(command);
    co_return static_cast<std::int32_t>(*count);
}

/// "vda" for the disk that sits at that place; the agent names places, clients want targets.
std::string target_at(const Domain& domain, const json::object& place) {
    const auto part = [](const json::object& in, std::string_view key) -> std::int64_t {
        const auto* value = in.if_contains(key);
        return value ? number_in(*value).value_or(-1) : -1;
    };
    const auto* pci = place.if_contains("pci-controller");
    const auto* members = pci ? pci->if_object() : nullptr;
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (const auto* at = address_of<PciAddress>(disk->info); at && members) {
            const auto value = [](const auto& v) { return v ? static_cast<std::int64_t>(v->value) : 0; };
            if (value(at->bus) == part(*members, "bus") && value(at->slot) == part(*members, "slot") &&
                value(at->function) == part(*members, "function"))
                return disk->target.dev.value_or("");
        }
        if (const auto* at = address_of<DriveAddress>(disk->info))
            if (at->bus.value_or(0) == part(place, "bus") &&
                at->target.value_or(0) == part(place, "target") &&
                at->unit.value_or(0) == part(place, "unit"))
                return disk->target.dev.value_or("");
    }
    return {};
}

call::DomainFsinfo file_system(const Domain& domain, const json::object& seen) {
    call::DomainFsinfo out{.mountpoint = {text_in(seen, "mountpoint")},
                           .name = {text_in(seen, "name")},
                           .fstype = {text_in(seen, "type")}};
    for (const auto* place : objects_in(seen.if_contains("disk"))) {
        auto target = target_at(domain, *place);
        if (!target.empty() && out.dev_aliases.items.size() < 256)
            out.dev_aliases.items.push_back({std::move(target)});
    }
    return out;
}

call::DomainInterface interface_of(const json::object& seen) {
    call::DomainInterface out{.name = {text_in(seen, "name")}};
    if (auto mac = text_in(seen, "hardware-address"); !mac.empty()) out.hwaddr = Text<>{std::move(mac)};
    for (const auto* address : objects_in(seen.if_contains("ip-addresses"))) {
        const auto* prefix = address->if_contains("prefix");
        if (out.addrs.items.size() >= 2048) break;
        out.addrs.items.push_back(
            {.type = text_in(*address, "ip-address-type") == "ipv6" ? 1 : 0,
             .addr = {text_in(*address, "ip-address")},
             .prefix = static_cast<std::uint32_t>(prefix ? number_in(*prefix).value_or(0) : 0)});
    }
    return out;
}

/// One virtual CPU as the guest sees it.
struct GuestCpu {
    std::uint32_t id = 0;
    bool online = false, can_offline = false;
};
Task<Result<std::vector<GuestCpu>>> guest_cpus(GuestPointer guest) {
    CO_TRY(answer, co_await ask_agent(guest, "guest-get-vcpus"));
    std::vector<GuestCpu> out;
    for (const auto* cpu : objects_in(&answer)) {
        const auto* id = cpu->if_contains("logical-id");
        const auto number = id ? number_in(*id) : std::nullopt;
        if (!number || *number < 0 || *number > 65535) co_return malformed("guest-get-vcpus");
        const auto yes = [&](std::string_view key) {
            const auto* value = cpu->if_contains(key);
            return value && value->is_bool() && value->get_bool();
        };
        out.push_back({static_cast<std::uint32_t>(*number), yes("online"), yes("can-offline")});
    }
    co_return out;
}

// ---- guest info -----------------------------------------------------------------------------

constexpr std::uint32_t info_users = 1, info_os = 2, info_timezone = 4, info_hostname = 8;

void add_users(TypedParams& out, const json::value& answer) {
    const auto users = objects_in(&answer);
    out.add("user.count", static_cast<std::uint32_t>(users.size()));
    for (std::size_t i = 0; i < users.size(); ++i) {
        const auto head = fmt::format("user.{}.", i);
        out.add(head + "name", text_in(*users[i], "user"));
        if (auto domain = text_in(*users[i], "domain"); !domain.empty()) out.add(head + "domain", domain);
        const auto* at = users[i]->if_contains("login-time");
        const auto seconds = at && at->is_number() ? at->to_number<double>() : 0.0;
        out.add(head + "login-time", static_cast<std::uint64_t>(std::max(0.0, seconds) * 1000));
    }
}
void add_os(TypedParams& out, const json::value& answer) {
    const auto* members = answer.if_object();
    if (!members) return;
    for (const std::string_view key : {"id", "name", "pretty-name", "version", "version-id", "machine",
                                       "variant", "variant-id", "kernel-release", "kernel-version"})
        if (auto text = text_in(*members, key); !text.empty()) out.add("os." + std::string(key), text);
}
void add_timezone(TypedParams& out, const json::value& answer) {
    const auto* members = answer.if_object();
    if (!members) return;
    if (auto zone = text_in(*members, "zone"); !zone.empty()) out.add("timezone.name", zone);
    if (const auto* offset = members->if_contains("offset"))
        out.add("timezone.offset", static_cast<std::int32_t>(number_in(*offset).value_or(0)));
}
void add_hostname(TypedParams& out, const json::value& answer) {
    if (const auto* members = answer.if_object()) out.add("hostname", text_in(*members, "host-name"));
}

struct InfoKind {
    std::uint32_t type;
    const char* command;
    void (*add)(TypedParams&, const json::value&);
};
constexpr InfoKind info_kinds[]{{info_users, "guest-get-users", add_users},
                                {info_os, "guest-get-osinfo", add_os},
                                {info_timezone, "guest-get-timezone", add_timezone},
                                {info_hostname, "guest-get-host-name", add_hostname}};

} // namespace

Task<Result<QemuDomainAgentCommand::Out>> QemuDomainAgentCommand::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainQemuAgentCommand"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    CO_TRY(answer, co_await ask_agent_raw(guest, std::move(in.cmd.value), AgentPatience{in.timeout}));
    co_return Out{Text<>{std::move(answer)}};
}

Task<Result<DomainAgentSetResponseTimeout::Out>> DomainAgentSetResponseTimeout::run(Call call, In in) {
    constexpr int least = -2;
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainAgentSetResponseTimeout"));
    if (in.timeout < least)
        co_return refuse(Code::invalid_arg,
                         tr("guest agent timeout '{0}' is less than the minimum '{1}'", in.timeout, least));
    CO_TRY(guest, find(call, in.dom));
    guest->agent_timeout = in.timeout;
    co_return Out{};
}

Task<Result<DomainGetHostname::Out>> DomainGetHostname::run(Call call, In in) {
    constexpr std::uint32_t from_lease = 1, from_agent = 2;
    CO_CHECK(check_flags(in.flags, from_lease | from_agent, "qemuDomainGetHostname"));
    if ((in.flags & from_lease) && (in.flags & from_agent))
        co_return refuse(Code::invalid_arg, tr("the sources 'lease' and 'agent' exclude each other"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    const auto unknown = tr("no hostname found for domain {0}", guest->name);
    if (in.flags & from_lease) co_return refuse(Code::no_hostname, unknown);
    CO_TRY(answer, co_await ask_agent(guest, "guest-get-host-name"));
    const auto* members = answer.if_object();
    auto name = members ? text_in(*members, "host-name") : std::string();
    if (name.empty()) co_return refuse(Code::no_hostname, unknown);
    co_return Out{{std::move(name)}};
}

Task<Result<DomainGetTime::Out>> DomainGetTime::run(Call call, In in) {
    constexpr std::int64_t second = 1'000'000'000;
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetTime"));
    CO_TRY(guest, reachable(call, in.dom));
    CO_TRY(answer, co_await ask_agent(guest, "guest-get-time"));
    const auto now = number_in(answer);
    if (!now || *now < 0) co_return malformed("guest-get-time");
    co_return Out{.seconds = *now / second, .nseconds = static_cast<std::uint32_t>(*now % second)};
}

Task<Result<DomainSetTime::Out>> DomainSetTime::run(Call call, In in) {
    constexpr std::uint32_t sync = 1;
    constexpr std::int64_t second = 1'000'000'000;
    CO_CHECK(check_flags(in.flags, sync, "qemuDomainSetTime"));
    CO_TRY(guest, reachable(call, in.dom));
    json::object arguments;
    if (!(in.flags & sync)) {
        if (in.seconds < 0 || in.seconds > INT64_MAX / second - 1 || in.nseconds >= second)
            co_return refuse(Code::overflow, tr("time '{0}' is too big for the guest agent", in.seconds));
        arguments["time"] = in.seconds * second + in.nseconds;
    }
    CO_TRY(done, co_await ask_agent(guest, "guest-set-time", std::move(arguments)));
    CO_TRY(monitor, need_monitor(*guest));
    // Ticks that the guest missed must not come on top of its new time.
    CO_TRY(reset, co_await monitor->execute("rtc-reset-reinjection"));
    co_return Out{};
}

Task<Result<DomainFsfreeze::Out>> DomainFsfreeze::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainFSFreeze"));
    CO_TRY(guest, reachable(call, in.dom));
    json::object arguments;
    std::string command = "guest-fsfreeze-freeze";
    if (!in.mountpoints.items.empty()) {
        command = "guest-fsfreeze-freeze-list";
        arguments["mountpoints"] = texts(in.mountpoints.items);
    }
    CO_TRY(count, co_await counted(guest, std::move(command), std::move(arguments)));
    co_return Out{count};
}

Task<Result<DomainFsthaw::Out>> DomainFsthaw::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainFSThaw"));
    CO_TRY(guest, reachable(call, in.dom));
    if (!in.mountpoints.items.empty())
        co_return refuse(Code::argument_unsupported, tr("the guest agent thaws all file systems or none"));
    json::object arguments;
    CO_TRY(count, co_await counted(guest, "guest-fsfreeze-thaw", std::move(arguments)));
    co_return Out{count};
}

Task<Result<DomainFstrim::Out>> DomainFstrim::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainFSTrim"));
    if (in.mount_point)
        co_return refuse(Code::argument_unsupported, tr("Specifying mount point is not supported for now"));
    CO_TRY(guest, reachable(call, in.dom));
    json::object arguments{{"minimum", in.minimum}};
    CO_TRY(done, co_await ask_agent(guest, "guest-fstrim", std::move(arguments)));
    co_return Out{};
}

Task<Result<DomainGetFsinfo::Out>> DomainGetFsinfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetFSInfo"));
    CO_TRY(guest, reachable(call, in.dom));
    CO_TRY(answer, co_await ask_agent(guest, "guest-get-fsinfo"));
    if (!guest->live) co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    Out out;
    for (const auto* seen : objects_in(&answer))
        if (out.info.items.size() < 256) out.info.items.push_back(file_system(*guest->live, *seen));
    out.ret = static_cast<std::uint32_t>(out.info.items.size());
    co_return out;
}

Task<Result<DomainInterfaceAddresses::Out>> DomainInterfaceAddresses::run(Call call, In in) {
    enum AddressSource : std::uint32_t { lease, agent, arp };
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainInterfaceAddresses"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    switch (in.source) {
    case lease: co_return Out{}; // no network of ours hands out addresses
    case agent: break;
    case arp:
        co_return refuse(Code::operation_unsupported,
                         tr("the host's ARP table is not looked at: ask the guest agent (--source agent)"));
    default:
        co_return refuse(Code::argument_unsupported, tr("Unknown IP address data source {0}", in.source));
    }
    CO_TRY(answer, co_await ask_agent(guest, "guest-network-get-interfaces"));
    Out out;
    for (const auto* seen : objects_in(&answer))
        if (out.ifaces.items.size() < 2048) out.ifaces.items.push_back(interface_of(*seen));
    co_return out;
}

Task<Result<DomainSetUserPassword::Out>> DomainSetUserPassword::run(Call call, In in) {
    constexpr std::uint32_t encrypted = 1;
    CO_CHECK(check_flags(in.flags, encrypted, "qemuDomainSetUserPassword"));
    CO_TRY(guest, reachable(call, in.dom));
    const auto secret = in.password ? in.password->value : std::string();
    const std::vector<std::uint8_t> bytes(secret.begin(), secret.end());
    json::object arguments{{"crypted", (in.flags & encrypted) != 0},
                           {"username", in.user ? in.user->value : std::string()},
                           {"password", base64(bytes)}};
    CO_TRY(done, co_await ask_agent(guest, "guest-set-user-password", std::move(arguments)));
    co_return Out{};
}

Task<Result<DomainGetGuestVcpus::Out>> DomainGetGuestVcpus::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetGuestVcpus"));
    CO_TRY(guest, reachable(call, in.dom));
    CO_TRY(cpus, co_await guest_cpus(guest));
    CpuSet there, online, offlinable;
    std::ranges::sort(cpus, {}, &GuestCpu::id);
    for (const auto& cpu : cpus) {
        there.cpus.push_back(cpu.id);
        if (cpu.online) online.cpus.push_back(cpu.id);
        if (cpu.can_offline) offlinable.cpus.push_back(cpu.id);
    }
    TypedParams out;
    out.add("vcpus", printed(there));
    out.add("online", printed(online));
    out.add("offlinable", printed(offlinable));
    co_return Out{{std::move(out.items)}};
}

Task<Result<DomainSetGuestVcpus::Out>> DomainSetGuestVcpus::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainSetGuestVcpus"));
    if (in.state != 0 && in.state != 1) co_return refuse(Code::invalid_arg, tr("unsupported state value"));
    const auto wanted = parse_cpuset(in.cpumap.value);
    if (!wanted || wanted->cpus.empty())
        co_return refuse(Code::invalid_arg, tr("no vcpus selected for modification"));
    CO_TRY(guest, reachable(call, in.dom));
    CO_TRY(cpus, co_await guest_cpus(guest));
    json::array changes;
    for (const auto id : wanted->cpus) {
        const auto at = std::ranges::find(cpus, id, &GuestCpu::id);
        if (at == cpus.end())
            co_return refuse(Code::invalid_arg, tr("vcpu {0} is not present in the guest", id));
        if (!in.state && !at->can_offline)
            co_return refuse(Code::invalid_arg, tr("vcpu {0} can't be offlined", id));
        changes.push_back(json::object{{"logical-id", id}, {"online", in.state == 1}});
    }
    json::object arguments{{"vcpus", std::move(changes)}};
    CO_TRY(done, co_await ask_agent(guest, "guest-set-vcpus", std::move(arguments)));
    co_return Out{};
}

Task<Result<DomainGetGuestInfo::Out>> DomainGetGuestInfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetGuestInfo"));
    CO_TRY(guest, reachable(call, in.dom));
    constexpr std::uint32_t served = info_users | info_os | info_timezone | info_hostname;
    if (in.types & ~served)
        co_return refuse(Code::operation_unsupported,
                         tr("guest information types 0x{0:x} are not supported", in.types & ~served));
    TypedParams out;
    for (const auto& kind : info_kinds) {
        if (in.types && !(in.types & kind.type)) continue;
        auto answer = co_await ask_agent(guest, kind.command);
        if (answer)
            kind.add(out, *answer);
        else if (in.types || answer.error().code != Code::internal)
            co_return std::unexpected(std::move(answer).error()); // asked for all: what this agent can tell
    }
    co_return Out{{std::move(out.items)}};
}

Task<Result<DomainAuthorizedSshKeysGet::Out>> DomainAuthorizedSshKeysGet::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainAuthorizedSSHKeysGet"));
    CO_TRY(guest, reachable(call, in.dom));
    json::object arguments{{"username", in.user.value}};
    CO_TRY(answer, co_await ask_agent(guest, "guest-ssh-get-authorized-keys", std::move(arguments)));
    const auto* members = answer.if_object();
    const auto* keys = members ? members->if_contains("keys") : nullptr;
    if (!keys || !keys->is_array()) co_return malformed("guest-ssh-get-authorized-keys");
    Out out;
    for (const auto& key : keys->get_array())
        if (key.is_string() && out.keys.items.size() < 2048)
            out.keys.items.push_back({std::string(key.get_string())});
    co_return out;
}

Task<Result<DomainAuthorizedSshKeysSet::Out>> DomainAuthorizedSshKeysSet::run(Call call, In in) {
    constexpr std::uint32_t append = 1, remove = 2;
    CO_CHECK(check_flags(in.flags, append | remove, "qemuDomainAuthorizedSSHKeysSet"));
    if ((in.flags & append) && (in.flags & remove))
        co_return refuse(Code::invalid_arg, tr("keys are appended or removed, not both"));
    CO_TRY(guest, reachable(call, in.dom));
    json::object arguments{{"username", in.user.value}, {"keys", texts(in.keys.items)}};
    if (!(in.flags & remove)) arguments["reset"] = !(in.flags & append);
    std::string command =
        in.flags & remove ? "guest-ssh-remove-authorized-keys" : "guest-ssh-add-authorized-keys";
    CO_TRY(done, co_await ask_agent(guest, std::move(command), std::move(arguments)));
    co_return Out{};
}

Task<Result<DomainPmSuspendForDuration::Out>> DomainPmSuspendForDuration::run(Call call, In in) {
    constexpr const char* commands[]{"guest-suspend-ram", "guest-suspend-disk", "guest-suspend-hybrid"};
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainPMSuspendForDuration"));
    if (in.duration)
        co_return refuse(Code::argument_unsupported, tr("Duration not supported. Use 0 for now"));
    if (in.target >= std::size(commands))
        co_return refuse(Code::argument_unsupported, tr("Unknown suspend target: {0}", in.target));
    CO_TRY(guest, reachable(call, in.dom));
    // An agent that sleeps does not answer: the monitor's event says that it worked.
    const auto run = guest->run;
    std::function<bool()> asleep = [guest, run] {
        return guest->run != run || !guest->running || guest->status.state == State::pm_suspended;
    };
    auto done = co_await ask_agent(guest, commands[in.target], {}, AgentPatience{-1});
    if (!done && done.error().code != Code::agent_unresponsive)
        co_return std::unexpected(std::move(done).error());
    if (!co_await guest->wait_until(std::move(asleep), std::chrono::seconds(10)))
        co_return refuse(Code::agent_unresponsive, tr("the guest did not go to sleep"));
    co_return Out{};
}

} // namespace cloister
