#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/node.hpp"

#include <array>

namespace cloister::client {
namespace {

std::string printed_version(std::uint64_t v) {
    return std::to_string(v / 1000000) + "." + std::to_string(v / 1000 % 1000) + "." +
           std::to_string(v % 1000);
}

Result<Answer> uri(Session& session, const Given&) {
    TRY(session.connection());
    return Answer{Document{session.uri() + "\n"}};
}
Result<Answer> hostname(Session& session, const Given&) {
    auto& c = *TRY(session.connection());
    return Answer{Document{
        TRY(c.call<call::ConnectGetHostnameOut>("CONNECT_GET_HOSTNAME", call::Nothing{})).hostname.value +
        "\n"}};
}
Result<Answer> version(Session& session, const Given&) {
    auto& c = *TRY(session.connection());
    const auto type = TRY(c.call<call::ConnectGetTypeOut>("CONNECT_GET_TYPE", call::Nothing{}));
    const auto library =
        TRY(c.call<call::ConnectGetLibVersionOut>("CONNECT_GET_LIB_VERSION", call::Nothing{}));
    const auto qemu = TRY(c.call<call::ConnectGetVersionOut>("CONNECT_GET_VERSION", call::Nothing{}));
    Facts facts;
    facts.add("client", tr("Client"), "cloister " CLOISTER_VERSION);
    facts.add("protocol", tr("Protocol level of the daemon"), printed_version(library.lib_ver));
    facts.add("hypervisor", tr("Hypervisor"), type.type.value + " " + printed_version(qemu.hv_ver));
    return Answer{facts};
}
Result<Answer> nodeinfo(Session& session, const Given&) {
    auto& c = *TRY(session.connection());
    const auto n = TRY(c.call<call::NodeGetInfoOut>("NODE_GET_INFO", call::Nothing{}));
    Facts facts;
    facts.add("cpu_model", tr("CPU model"), n.model.value);
    facts.add("cpus", tr("CPU(s)"), std::to_string(n.cpus));
    facts.add("mhz", tr("CPU frequency"), std::to_string(n.mhz) + " MHz");
    facts.add("sockets", tr("CPU socket(s)"), std::to_string(n.sockets));
    facts.add("cores", tr("Core(s) per socket"), std::to_string(n.cores));
    facts.add("threads", tr("Thread(s) per core"), std::to_string(n.threads));
    facts.add("nodes", tr("NUMA cell(s)"), std::to_string(n.nodes));
    facts.add("memory_kib", tr("Memory size"), std::to_string(n.memory) + " KiB");
    return Answer{facts};
}
Result<Answer> capabilities(Session& session, const Given&) {
    auto& c = *TRY(session.connection());
    return Answer{
        Document{TRY(c.call<call::ConnectGetCapabilitiesOut>("CONNECT_GET_CAPABILITIES", call::Nothing{}))
                     .capabilities.value}};
}
Result<Answer> domcapabilities(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto text = [&](std::string_view name) -> std::optional<Text<>> {
        const auto value = given.maybe(name);
        return value ? std::optional(Text<>{*value}) : std::nullopt;
    };
    const auto out = TRY(c.call<call::ConnectGetDomainCapabilitiesOut>(
        "CONNECT_GET_DOMAIN_CAPABILITIES",
        call::ConnectGetDomainCapabilitiesIn{.emulatorbin = text("emulatorbin"),
                                             .arch = text("arch"),
                                             .machine = text("machine"),
                                             .virttype = text("virttype")}));
    return Answer{Document{out.capabilities.value}};
}
Result<Answer> maxvcpus(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    call::ConnectGetMaxVcpusIn in;
    if (const auto type = given.maybe("type")) in.type = Text<>{*type};
    return Answer{Document{
        std::to_string(TRY(c.call<call::ConnectGetMaxVcpusOut>("CONNECT_GET_MAX_VCPUS", in)).max_vcpus) +
        "\n"}};
}

constexpr Arg domcapabilities_args[] = {{"virttype", Takes::option, tr_later("kvm or qemu")},
                                        {"emulatorbin", Takes::option, tr_later("path of the emulator")},
                                        {"arch", Takes::option, tr_later("architecture of the guest")},
                                        {"machine", Takes::option, tr_later("machine type of the guest")}};
constexpr Arg maxvcpus_args[] = {{"type", Takes::option, tr_later("kvm or qemu")}};
constexpr std::array table{
    Verb{"uri", tr_later("print the URI of the connection"), {}, uri},
    Verb{"version", tr_later("print the versions of client, daemon and hypervisor"), {}, version},
    Verb{"hostname", tr_later("print the name of the host"), {}, hostname},
    Verb{"nodeinfo", tr_later("basic facts about the host"), {}, nodeinfo},
    Verb{"capabilities", tr_later("what the host can do, as XML"), {}, capabilities},
    Verb{"domcapabilities", tr_later("what guests can have here, as XML"), domcapabilities_args,
         domcapabilities},
    Verb{"maxvcpus", tr_later("the most virtual CPUs a guest can have"), maxvcpus_args, maxvcpus},
};

} // namespace

std::span<const Verb> host_verbs() { return table; }

} // namespace cloister::client
