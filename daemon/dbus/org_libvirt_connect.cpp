/// org.libvirt.Connect: the methods and properties of /org/libvirt/QEMU. Source: the interface that
/// libvirt-dbus 1.4.1 installs; a test compares them.
#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/domain_save.hpp"
#include "conf/call/node.hpp"
#include "daemon/dbus/elsewhere.hpp"
#include "daemon/dbus/files.hpp"
#include "daemon/dbus/shapes.hpp"

namespace cloister::dbus {
namespace {

using namespace call;
using Flags = std::uint32_t;

std::vector<Method> about_domains() {
    const auto by_uuid = [](DomainLookupByUuidIn& in, const std::string& text) -> Result<> {
        const auto uuid = parse_uuid(text);
        if (!uuid) return std::unexpected(invalid_uuid());
        in.uuid = uuid->bytes;
        return {};
    };
    const auto all = [](ConnectListAllDomainsIn& in, Flags flags) {
        in.need_results = 1;
        in.flags = flags;
    };
    const auto stats = [](ConnectGetAllDomainStatsIn& in, std::uint32_t which, Flags flags) {
        in.stats = which;
        in.flags = flags;
    };
    const auto records = [](const ConnectGetAllDomainStatsOut& out) {
        std::vector<std::tuple<std::string, NamedValues>> all_of_them;
        for (const auto& record : out.ret_stats.items) {
            NamedValues values;
            for (const auto& [field, value] : record.params.items) values.emplace_back(field.value, value);
            all_of_them.emplace_back(record.dom.name.value, std::move(values));
        }
        return all_of_them;
    };
    return {
        method<DomainCreateXmlIn, DomainCreateXmlOut>(10, "DomainCreateXML", "xml flags", "domain"),
        with_files<DomainCreateXmlWithFilesIn, DomainCreateXmlWithFilesOut>(309, "DomainCreateXMLWithFiles",
                                                                            "xml files flags", "domain"),
        method<DomainDefineXmlIn, DomainDefineXmlOut>(11, "DomainDefineXML", "xml", "domain"),
        method<DomainLookupByIdIn, DomainLookupByIdOut>(22, "DomainLookupByID", "id", "domain"),
        method<DomainLookupByNameIn, DomainLookupByNameOut>(23, "DomainLookupByName", "name", "domain"),
        method<DomainLookupByUuidIn, DomainLookupByUuidOut>(24, "DomainLookupByUUID", "uuid", "domain",
                                                            by_uuid),
        method<DomainRestoreFlagsIn>(233, "DomainRestore", "from xml flags"),
        method<DomainSaveImageDefineXmlIn>(236, "DomainSaveImageDefineXML", "file xml flags"),
        method<DomainSaveImageGetXmlDescIn, DomainSaveImageGetXmlDescOut>(235, "DomainSaveImageGetXMLDesc",
                                                                          "file flags", "xml"),
        method<ConnectGetAllDomainStatsIn, ConnectGetAllDomainStatsOut>(
            344, "GetAllDomainStats", "stats flags", "records", stats, records),
        method<ConnectListAllDomainsIn, ConnectListAllDomainsOut>(273, "ListDomains", "flags", "domains", all,
                                                                  Only<&ConnectListAllDomainsOut::domains>{}),
    };
}

std::vector<Method> about_the_hypervisor() {
    const auto models = [](ConnectGetCpuModelNamesIn& in, std::string arch, Flags flags) {
        in = {.arch = {std::move(arch)}, .need_results = 1, .flags = flags};
    };
    return {
        method<ConnectBaselineCpuIn, ConnectBaselineCpuOut>(162, "BaselineCPU", "xmlCPUs flags", "cpu"),
        method<ConnectCompareCpuIn, ConnectCompareCpuOut>(158, "CompareCPU", "xmlDesc flags",
                                                          "compareResult"),
        method<Nothing, ConnectGetCapabilitiesOut>(7, "GetCapabilities", "", "capabilities"),
        method<ConnectGetCpuModelNamesIn, ConnectGetCpuModelNamesOut>(
            312, "GetCPUModelNames", "arch flags", "models", models,
            Only<&ConnectGetCpuModelNamesOut::models>{}),
        method<ConnectGetDomainCapabilitiesIn, ConnectGetDomainCapabilitiesOut>(
            342, "GetDomainCapabilities", "emulatorbin arch machine virttype flags", "domCapabilities"),
        method<ConnectGetSysinfoIn, ConnectGetSysinfoOut>(203, "GetSysinfo", "flags", "sysinfo"),
    };
}

std::vector<Method> about_the_host() {
    const auto map = [](NodeGetCpuMapIn& in, Flags flags) {
        in = {.need_map = 1, .need_online = 1, .flags = flags};
    };
    const auto online = [](const NodeGetCpuMapOut& out) {
        return bits_of(out.cpumap.value, 0, static_cast<std::size_t>(std::max(0, out.ret)));
    };
    const auto cpu = [](NodeGetCpuStatsIn& in, std::int32_t number, Flags flags) {
        in = {.cpu_num = number, .nparams = all_parameters, .flags = flags};
    };
    const auto memory = [](NodeGetMemoryStatsIn& in, std::int32_t cell, Flags flags) {
        in = {.nparams = all_parameters, .cell_num = cell, .flags = flags};
    };
    const auto tuning = [](NodeGetMemoryParametersIn& in, Flags flags) {
        in = {.nparams = all_parameters, .flags = flags};
    };
    return {
        method<NodeGetCpuMapIn, NodeGetCpuMapOut>(293, "NodeGetCPUMap", "flags", "res", map, online),
        method<NodeGetCpuStatsIn, NodeGetCpuStatsOut>(227, "NodeGetCPUStats", "cpuNum flags", "cpuStats", cpu,
                                                      numbers),
        method<Nothing, NodeGetFreeMemoryOut>(102, "NodeGetFreeMemory", "", "freemem"),
        method<NodeGetMemoryParametersIn, NodeGetMemoryParametersOut>(289, "NodeGetMemoryParameters", "flags",
                                                                      "memoryParameters", tuning, parameters),
        method<NodeGetMemoryStatsIn, NodeGetMemoryStatsOut>(228, "NodeGetMemoryStats", "cellNum flags",
                                                            "stats", memory, numbers),
        method<Nothing, NodeGetSecurityModelOut>(122, "NodeGetSecurityModel", "", "secModel", AsItIs{},
                                                 whole),
        method<NodeSetMemoryParametersIn>(288, "NodeSetMemoryParameters", "params flags"),
    };
}

/// The connection of a bus caller never leaves this machine, and nothing on it is encrypted.
template <bool Value> Task<Result<>> always(Request, const Method*, Message, Message reply) {
    Writer to(reply);
    write(to, Value);
    co_return to.done();
}
template <bool Value> Property constant(std::string_view name) {
    return {.name = std::string(name),
            .get = {.name = std::string(name), .out = "b", .serve = &always<Value>},
            .constant = true};
}

} // namespace

Interface connect_interface() {
    Interface out{.name = "org.libvirt.Connect"};
    out.properties = {constant<false>("Encrypted"), property<Nothing, ConnectGetHostnameOut>(59, "Hostname"),
                      property<Nothing, ConnectGetLibVersionOut>(157, "LibVersion"), constant<true>("Secure"),
                      property<Nothing, ConnectGetVersionOut>(4, "Version")};
    for (auto& family : {about_domains(), about_the_hypervisor(), about_the_host(), elsewhere_methods()})
        out.methods.insert(out.methods.end(), family.begin(), family.end());
    std::ranges::sort(out.methods, {}, &Method::name);
    out.signals = {{"DomainEvent", "oii", "domain event detail"},
                   {"NetworkEvent", "oi", "network event"},
                   {"NodeDeviceEvent", "oii", "dev event detail"},
                   {"SecretEvent", "oii", "secret event detail"},
                   {"StoragePoolEvent", "oii", "storagePool event detail"}};
    return out;
}

} // namespace cloister::dbus
