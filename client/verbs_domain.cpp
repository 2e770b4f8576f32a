#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/base/uuid.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/domain_save.hpp"
#include "conf/call/domain_vcpu.hpp"
#include "conf/call/node.hpp"
#include "conf/text/xml_node.hpp"

#include <array>
#include <fmt/format.h>

namespace cloister::client {
namespace {

std::string state_name(int state) {
    switch (state) {
    case 0: return tr("no state");
    case 1: return tr("running");
    case 2: return tr("idle");
    case 3: return tr("paused");
    case 4: return tr("in shutdown");
    case 5: return tr("shut off");
    case 6: return tr("crashed");
    case 7: return tr("pmsuspended");
    }
    return tr("unknown");
}
/// Source: abi.json, the virDomain*Reason enums.
std::string reason_name(int state, int reason) {
    static constexpr std::array<std::string_view, 11> running{
        "unknown",       "booted",   "migrated",           "restored",
        "from snapshot", "unpaused", "migration canceled", "save canceled",
        "event wakeup",  "crashed",  "post-copy"};
    static constexpr std::array<std::string_view, 13> paused{
        "unknown",   "user",        "migrating",     "saving",        "dumping",
        "I/O error", "watchdog",    "from snapshot", "shutting down", "creating snapshot",
        "crashed",   "starting up", "post-copy"};
    static constexpr std::array<std::string_view, 9> off{"unknown", "shutdown",      "destroyed",
                                                         "crashed", "migrated",      "saved",
                                                         "failed",  "from snapshot", "daemon"};
    const auto pick = [&](const auto& names) {
        return reason >= 0 && static_cast<std::size_t>(reason) < names.size()
                   ? std::string(names.at(static_cast<std::size_t>(reason)))
                   : std::string("unknown");
    };
    if (state == 1) return pick(running);
    if (state == 3) return pick(paused);
    if (state == 5) return pick(off);
    return "unknown";
}
call::DomainGetStateOut no_state() { return {}; }
Result<call::DomainGetStateOut> state_of(Session& session, const call::DomainHandle& dom) {
    auto& c = *TRY(session.connection());
    return c.call<call::DomainGetStateOut>("DOMAIN_GET_STATE", call::DomainGetStateIn{.dom = dom});
}
std::string yes_no(bool yes) { return yes ? tr("yes") : tr("no"); }

Result<Answer> list(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    std::uint32_t flags = 0;
    if (!given.has("all")) flags |= given.has("inactive") ? 2u : 1u;
    if (given.has("persistent")) flags |= 4;
    if (given.has("transient")) flags |= 8;
    if (given.has("state-running")) flags |= 16;
    if (given.has("state-paused")) flags |= 32;
    if (given.has("state-shutoff")) flags |= 64;
    if (given.has("state-other")) flags |= 128;
    if (given.has("autostart")) flags |= 1024;
    if (given.has("no-autostart")) flags |= 2048;
    auto out = TRY(c.call<call::ConnectListAllDomainsOut>(
        "CONNECT_LIST_ALL_DOMAINS", call::ConnectListAllDomainsIn{.need_results = 1, .flags = flags}));
    auto& domains = out.domains.items;
    std::ranges::sort(domains, [](const auto& a, const auto& b) { // the running ones first, by id
        if ((a.id < 0) != (b.id < 0)) return a.id >= 0;
        return a.id != b.id && a.id >= 0 ? a.id < b.id : a.name.value < b.name.value;
    });
    if (given.has("name") || given.has("uuid")) {
        std::string lines;
        for (const auto& d : domains) {
            const auto uuid = printed(Uuid{d.uuid});
            lines += given.has("name") && given.has("uuid") ? uuid + " " + d.name.value + "\n"
                     : given.has("name")                    ? d.name.value + "\n"
                                                            : uuid + "\n";
        }
        return Answer{Document{lines}};
    }
    Table table{.headers = {tr("Id"), tr("Name"), tr("State")}, .keys = {"id", "name", "state"}};
    if (given.has("title")) {
        table.headers.push_back(tr("Title"));
        table.keys.push_back("title");
    }
    for (const auto& d : domains) {
        const auto state = state_of(session, d).value_or(no_state()); // it may have gone meanwhile
        table.rows.push_back({d.id < 0 ? "-" : std::to_string(d.id), d.name.value, state_name(state.state)});
        if (!given.has("title")) continue;
        const auto title = c.call<call::DomainGetMetadataOut>("DOMAIN_GET_METADATA",
                                                              call::DomainGetMetadataIn{.dom = d, .type = 1});
        table.rows.back().push_back(title ? title->metadata.value : "");
    }
    return Answer{table};
}

Result<Answer> dominfo(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto dom = TRY(session.domain(given.value("domain")));
    const auto info =
        TRY(c.call<call::DomainGetInfoOut>("DOMAIN_GET_INFO", call::DomainGetInfoIn{.dom = dom}));
    Facts facts;
    facts.add("id", tr("Id"), dom.id < 0 ? "-" : std::to_string(dom.id));
    facts.add("name", tr("Name"), dom.name.value);
    facts.add("uuid", tr("UUID"), printed(Uuid{dom.uuid}));
    if (const auto os =
            c.call<call::DomainGetOsTypeOut>("DOMAIN_GET_OS_TYPE", call::DomainGetOsTypeIn{.dom = dom}))
        facts.add("os_type", tr("OS type"), os->type.value);
    facts.add("state", tr("State"), state_name(info.state));
    facts.add("cpus", tr("CPU(s)"), std::to_string(info.nr_virt_cpu));
    if (info.cpu_time)
        facts.add("cpu_time_s", tr("CPU time"),
                  fmt::format("{:.1f} s", static_cast<double>(info.cpu_time) / 1e9));
    facts.add("max_memory_kib", tr("Max memory"), std::to_string(info.max_mem) + " KiB");
    facts.add("used_memory_kib", tr("Used memory"), std::to_string(info.memory) + " KiB");
    const auto persistent = TRY(
        c.call<call::DomainIsPersistentOut>("DOMAIN_IS_PERSISTENT", call::DomainIsPersistentIn{.dom = dom}));
    facts.add("persistent", tr("Persistent"), yes_no(persistent.persistent != 0));
    if (const auto autostart = c.call<call::DomainGetAutostartOut>("DOMAIN_GET_AUTOSTART",
                                                                   call::DomainGetAutostartIn{.dom = dom}))
        facts.add("autostart", tr("Autostart"), autostart->autostart ? tr("enable") : tr("disable"));
    if (const auto model = c.call<call::NodeGetSecurityModelOut>("NODE_GET_SECURITY_MODEL", call::Nothing{}))
        facts.add("security_model", tr("Security model"), model->model.value.c_str());
    if (const auto label = c.call<call::DomainGetSecurityLabelOut>(
            "DOMAIN_GET_SECURITY_LABEL", call::DomainGetSecurityLabelIn{.dom = dom});
        label && dom.id >= 0)
        facts.add("security_label", tr("Security label"), std::string(label->label.value.c_str()));
    if (const auto messages =
            c.call<call::DomainGetMessagesOut>("DOMAIN_GET_MESSAGES", call::DomainGetMessagesIn{.dom = dom}))
        for (const auto& m : messages->msgs.items) facts.add("message", tr("Messages"), m.value);
    return Answer{facts};
}

Result<Answer> domstate(Session& session, const Given& given) {
    const auto state = TRY(state_of(session, TRY(session.domain(given.value("domain")))));
    auto text = state_name(state.state);
    if (given.has("reason")) text += " (" + reason_name(state.state, state.reason) + ")";
    return Answer{Document{text + "\n"}};
}
Result<Answer> domid(Session& session, const Given& given) {
    const auto dom = TRY(session.domain(given.value("domain")));
    return Answer{Document{(dom.id < 0 ? "-" : std::to_string(dom.id)) + "\n"}};
}
Result<Answer> domuuid(Session& session, const Given& given) {
    return Answer{Document{printed(Uuid{TRY(session.domain(given.value("domain"))).uuid}) + "\n"}};
}
Result<Answer> domname(Session& session, const Given& given) {
    return Answer{Document{TRY(session.domain(given.value("domain"))).name.value + "\n"}};
}
Result<Answer> dumpxml(Session& session, const Given& given) {
    const std::uint32_t flags = (given.has("security-info") ? 1u : 0) | (given.has("inactive") ? 2u : 0) |
                                (given.has("update-cpu") ? 4u : 0) | (given.has("migratable") ? 8u : 0);
    return Answer{Document{TRY(session.xml(TRY(session.domain(given.value("domain"))), flags))}};
}

/// The <devices> of a domain's XML, live unless --inactive.
Result<xml::Node> devices(Session& session, const Given& given) {
    const auto text =
        TRY(session.xml(TRY(session.domain(given.value("domain"))), given.has("inactive") ? 2 : 0));
    const auto root = TRY(xml::read(text));
    const auto* devices = root.child("devices");
    return devices ? *devices : xml::Node{};
}
std::string attribute_of(const xml::Node* node, std::string_view name) {
    const auto* value = node ? node->attribute(name) : nullptr;
    return value ? *value : std::string{};
}
std::string source_of(const xml::Node& disk) {
    for (const auto* key : {"file", "dev", "dir", "name", "volume"})
        if (auto value = attribute_of(disk.child("source"), key); !value.empty()) return value;
    return "-";
}
Result<Answer> domblklist(Session& session, const Given& given) {
    Table table{.headers = {tr("Target"), tr("Source")}, .keys = {"target", "source"}};
    if (given.has("details"))
        table = {.headers = {tr("Type"), tr("Device"), tr("Target"), tr("Source")},
                 .keys = {"type", "device", "target", "source"}};
    for (const auto& disk : TRY(devices(session, given)).children) {
        if (disk.name != "disk") continue;
        std::vector<std::string> row{attribute_of(disk.child("target"), "dev"), source_of(disk)};
        if (given.has("details")) {
            const auto device = attribute_of(&disk, "device");
            row.insert(row.begin(), {attribute_of(&disk, "type"), device.empty() ? "disk" : device});
        }
        table.rows.push_back(std::move(row));
    }
    return Answer{table};
}
Result<Answer> domiflist(Session& session, const Given& given) {
    Table table{.headers = {tr("Interface"), tr("Type"), tr("Source"), tr("Model"), tr("MAC")},
                .keys = {"interface", "type", "source", "model", "mac"}};
    const auto or_dash = [](std::string text) { return text.empty() ? "-" : text; };
    for (const auto& nic : TRY(devices(session, given)).children) {
        if (nic.name != "interface") continue;
        const auto type = attribute_of(&nic, "type");
        table.rows.push_back({or_dash(attribute_of(nic.child("target"), "dev")), type,
                              or_dash(attribute_of(nic.child("source"), type == "direct" ? "dev" : type)),
                              or_dash(attribute_of(nic.child("model"), "type")),
                              or_dash(attribute_of(nic.child("mac"), "address"))});
    }
    return Answer{table};
}
Result<Answer> ttyconsole(Session& session, const Given& given) {
    for (const auto& console : TRY(devices(session, given)).children)
        if (console.name == "console")
            if (const auto tty = attribute_of(&console, "tty"); !tty.empty())
                return Answer{Document{tty + "\n"}};
    return fail(Code::operation_invalid, tr("the domain has no console, or is not running"));
}
/// scheme://host:port of the first display; without the scheme for vncdisplay.
Result<Answer> display(Session& session, const Given& given, bool vnc_only) {
    for (const auto& graphics : TRY(devices(session, given)).children) {
        if (graphics.name != "graphics") continue;
        const auto type = attribute_of(&graphics, "type"), port = attribute_of(&graphics, "port");
        if ((vnc_only && type != "vnc") || port.empty() || port == "-1") continue;
        auto listen = attribute_of(&graphics, "listen");
        if (listen.empty()) listen = "127.0.0.1";
        const auto shown = type == "vnc" ? std::to_string(std::stoi(port) - 5900) : port;
        if (vnc_only) return Answer{Document{listen + ":" + shown + "\n"}};
        return Answer{
            Document{type + "://" + (listen == "127.0.0.1" ? "localhost" : listen) + ":" + shown + "\n"}};
    }
    return fail(Code::operation_invalid, tr("the domain has no display, or is not running"));
}
Result<Answer> vncdisplay(Session& session, const Given& given) { return display(session, given, true); }
Result<Answer> domdisplay(Session& session, const Given& given) { return display(session, given, false); }

std::string printed_param(const call::ParamValue& value) {
    return std::visit(
        []<class T>(const T& v) -> std::string {
            if constexpr (std::is_same_v<T, std::string>)
                return v;
            else if constexpr (std::is_same_v<T, bool>)
                return v ? "yes" : "no";
            else
                return fmt::format("{}", v);
        },
        value);
}
Result<Answer> domstats(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    call::ConnectGetAllDomainStatsIn in;
    for (const auto& [flag, bit] : std::initializer_list<std::pair<const char*, unsigned>>{
             {"state", 1}, {"cpu-total", 2}, {"balloon", 4}, {"vcpu", 8}, {"interface", 16}, {"block", 32}})
        if (given.has(flag)) in.stats |= bit;
    for (const auto& name : given.rest) in.doms.items.push_back(TRY(session.domain(name)));
    const auto out = TRY(c.call<call::ConnectGetAllDomainStatsOut>("CONNECT_GET_ALL_DOMAIN_STATS", in));
    boost::json::array json;
    std::string text;
    for (const auto& record : out.ret_stats.items) {
        text += "Domain: '" + record.dom.name.value + "'\n";
        for (const auto& p : record.params.items)
            text += "  " + p.field.value + "=" + printed_param(p.value) + "\n";
        text += "\n";
    }
    return Answer{Document{text}};
}
Result<Answer> vcpuinfo(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto dom = TRY(session.domain(given.value("domain")));
    const auto info =
        TRY(c.call<call::DomainGetInfoOut>("DOMAIN_GET_INFO", call::DomainGetInfoIn{.dom = dom}));
    const auto vcpus = TRY(c.call<call::DomainGetVcpusOut>(
        "DOMAIN_GET_VCPUS", call::DomainGetVcpusIn{.dom = dom, .maxinfo = info.nr_virt_cpu, .maplen = 8}));
    Table table{.headers = {tr("VCPU"), tr("CPU"), tr("State"), tr("CPU time")},
                .keys = {"vcpu", "cpu", "state", "cpu_time"}};
    for (const auto& v : vcpus.info.items)
        table.rows.push_back({std::to_string(v.number), std::to_string(v.cpu),
                              v.state == 1   ? tr("running")
                              : v.state == 2 ? tr("blocked")
                                             : tr("offline"),
                              fmt::format("{:.1f} s", static_cast<double>(v.cpu_time) / 1e9)});
    return Answer{table};
}
Result<Answer> vcpucount(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto dom = TRY(session.domain(given.value("domain")));
    Table table{.headers = {tr("Kind"), tr("Where"), tr("Count")}, .keys = {"kind", "where", "count"}};
    for (const auto& [kind, where, flags] :
         std::initializer_list<std::tuple<std::string, std::string, unsigned>>{
             {tr("maximum"), tr("config"), 2 | 4},
             {tr("maximum"), tr("live"), 1 | 4},
             {tr("current"), tr("config"), 2},
             {tr("current"), tr("live"), 1}})
        if (const auto count = c.call<call::DomainGetVcpusFlagsOut>(
                "DOMAIN_GET_VCPUS_FLAGS", call::DomainGetVcpusFlagsIn{.dom = dom, .flags = flags}))
            table.rows.push_back({kind, where, std::to_string(count->num)});
    return Answer{table};
}

constexpr Arg domain_only[] = {{"domain", Takes::positional, tr_later("name, id or uuid of the domain")}};
constexpr Arg list_args[] = {{"all", Takes::flag, tr_later("those that do not run, too")},
                             {"inactive", Takes::flag, tr_later("only those that do not run")},
                             {"persistent", Takes::flag, tr_later("only stored ones")},
                             {"transient", Takes::flag, tr_later("only those without a stored definition")},
                             {"state-running", Takes::flag, tr_later("only running ones")},
                             {"state-paused", Takes::flag, tr_later("only paused ones")},
                             {"state-shutoff", Takes::flag, tr_later("only those shut off")},
                             {"state-other", Takes::flag, tr_later("only those in another state")},
                             {"autostart", Takes::flag, tr_later("only those that start by themselves")},
                             {"no-autostart", Takes::flag, tr_later("only the others")},
                             {"name", Takes::flag, tr_later("names only")},
                             {"uuid", Takes::flag, tr_later("uuids only")},
                             {"title", Takes::flag, tr_later("with their titles")},
                             {"table", Takes::flag, tr_later("as a table (the default)")}};
constexpr Arg state_args[] = {domain_only[0], {"reason", Takes::flag, tr_later("and why")}};
constexpr Arg dump_args[] = {domain_only[0],
                             {"inactive", Takes::flag, tr_later("the stored definition")},
                             {"security-info", Takes::flag, tr_later("with passwords")},
                             {"update-cpu", Takes::flag, tr_later("with the host's CPU")},
                             {"migratable", Takes::flag, tr_later("as another host would take it")}};
constexpr Arg block_args[] = {domain_only[0],
                              {"inactive", Takes::flag, tr_later("of the stored definition")},
                              {"details", Takes::flag, tr_later("with type and device")}};
constexpr Arg if_args[] = {domain_only[0], {"inactive", Takes::flag, tr_later("of the stored definition")}};
constexpr Arg stats_args[] = {{"domain", Takes::rest, tr_later("the domains; none: all")},
                              {"state", Takes::flag, tr_later("state")},
                              {"cpu-total", Takes::flag, tr_later("CPU time")},
                              {"balloon", Takes::flag, tr_later("memory")},
                              {"vcpu", Takes::flag, tr_later("virtual CPUs")},
                              {"interface", Takes::flag, tr_later("network cards")},
                              {"block", Takes::flag, tr_later("disks")}};
constexpr std::array table{
    Verb{"list", tr_later("list the domains"), list_args, list},
    Verb{"dominfo", tr_later("basic facts about a domain"), domain_only, dominfo},
    Verb{"domstate", tr_later("the state of a domain"), state_args, domstate},
    Verb{"domid", tr_later("the id of a domain"), domain_only, domid},
    Verb{"domuuid", tr_later("the uuid of a domain"), domain_only, domuuid},
    Verb{"domname", tr_later("the name of a domain"), domain_only, domname},
    Verb{"dumpxml", tr_later("the XML of a domain"), dump_args, dumpxml},
    Verb{"domblklist", tr_later("the disks of a domain"), block_args, domblklist},
    Verb{"domiflist", tr_later("the network cards of a domain"), if_args, domiflist},
    Verb{"domstats", tr_later("statistics of domains"), stats_args, domstats},
    Verb{"vcpuinfo", tr_later("what the virtual CPUs do"), domain_only, vcpuinfo},
    Verb{"vcpucount", tr_later("how many virtual CPUs a domain has"), domain_only, vcpucount},
    Verb{"ttyconsole", tr_later("the terminal of a domain's console"), domain_only, ttyconsole},
    Verb{"vncdisplay", tr_later("where a domain's VNC display is"), domain_only, vncdisplay},
    Verb{"domdisplay", tr_later("where a domain's display is, as a URI"), domain_only, domdisplay},
};

} // namespace

std::span<const Verb> domain_verbs() { return table; }

} // namespace cloister::client
