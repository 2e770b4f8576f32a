/// org.libvirt.Domain: limits and statistics.
#include "conf/call/connect.hpp"
#include "conf/call/domain_block.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/call/domain_guest.hpp"
#include "conf/call/domain_memory.hpp"
#include "conf/call/domain_vcpu.hpp"
#include "daemon/dbus/domain_methods.hpp"
#include "daemon/dbus/shapes.hpp"

namespace cloister::dbus {
namespace {

using namespace call;
using Flags = std::uint32_t;

/// "GetMemoryParameters (u flags) -> a{sv}": all of them at once.
template <class In, class Out>
Method get_parameters(std::int32_t number, std::string_view name, std::string_view result) {
    const auto all = [](In& in, Flags flags) {
        if constexpr (requires { in.nparams; }) in.nparams = all_parameters;
        in.flags = flags | texts_too;
    };
    return method<In, Out>(number, name, "flags", result, all, parameters);
}

std::vector<Method> limits() {
    const auto of_disk = [](DomainGetBlockIoTuneIn& in, std::string disk, Flags flags) {
        in.disk = Text<>{std::move(disk)};
        in.nparams = 2 * all_parameters;
        in.flags = flags | texts_too;
    };
    const auto of_device = [](DomainGetInterfaceParametersIn& in, std::string device, Flags flags) {
        in.device.value = std::move(device);
        in.nparams = all_parameters;
        in.flags = flags | texts_too;
    };
    return {
        get_parameters<DomainGetBlkioParametersIn, DomainGetBlkioParametersOut>(206, "GetBlockIOParameters",
                                                                                "BlkioParameters"),
        method<DomainGetBlockIoTuneIn, DomainGetBlockIoTuneOut>(253, "GetBlockIOTune", "disk flags",
                                                                "blockIOTune", of_disk, parameters),
        method<DomainGetInterfaceParametersIn, DomainGetInterfaceParametersOut>(
            257, "GetInterfaceParameters", "device flags", "interfaceParameters", of_device, parameters),
        get_parameters<DomainGetMemoryParametersIn, DomainGetMemoryParametersOut>(198, "GetMemoryParameters",
                                                                                  "memoryParameters"),
        get_parameters<DomainGetNumaParametersIn, DomainGetNumaParametersOut>(255, "GetNumaParameters",
                                                                              "numaParameters"),
        get_parameters<DomainGetPerfEventsIn, DomainGetPerfEventsOut>(365, "GetPerfEvents", "perfEvents"),
        get_parameters<DomainGetSchedulerParametersFlagsIn, DomainGetSchedulerParametersFlagsOut>(
            223, "GetSchedulerParameters", "SchedulerParameters"),
        method<DomainSetBlkioParametersIn>(205, "SetBlockIOParameters", "params flags"),
        method<DomainSetBlockIoTuneIn>(252, "SetBlockIOTune", "disk params flags"),
        method<DomainSetInterfaceParametersIn>(256, "SetInterfaceParameters", "device params flags"),
        method<DomainSetMemoryParametersIn>(197, "SetMemoryParameters", "params flags"),
        method<DomainSetNumaParametersIn>(254, "SetNumaParameters", "params flags"),
        method<DomainSetPerfEventsIn>(366, "SetPerfEvents", "params flags"),
        method<DomainSetSchedulerParametersFlagsIn>(219, "SetSchedulerParameters", "params flags"),
    };
}

std::vector<Method> figures() {
    const auto errors = [](DomainGetDiskErrorsIn& in, Flags flags) {
        in.maxerrors = 256;
        in.flags = flags;
    };
    const auto all_tags = [](DomainMemoryStatsIn& in, Flags flags) {
        in.max_stats = 1024;
        in.flags = flags;
    };
    const auto by_tag = [](const DomainMemoryStatsOut& out) {
        std::vector<std::pair<std::int32_t, std::uint64_t>> all;
        for (const auto& [tag, value] : out.stats.items) all.emplace_back(tag, value);
        return all;
    };
    return {
        method<DomainGetDiskErrorsIn, DomainGetDiskErrorsOut>(
            263, "GetDiskErrors", "flags", "diskErrors", errors, Only<&DomainGetDiskErrorsOut::errors>{}),
        method<DomainMemoryStatsIn, DomainMemoryStatsOut>(159, "MemoryStats", "flags", "stats", all_tags,
                                                          by_tag),
        method<DomainSetMemoryFlagsIn>(204, "SetMemory", "memory flags"),
        method<DomainSetMemoryStatsPeriodIn>(308, "SetMemoryStatsPeriod", "period flags"),
    };
}

/// The statistics of one domain are those of a list that holds it alone.
Task<Result<>> get_stats(Request who, const Method* self, Message call, Message reply) {
    ConnectGetAllDomainStatsIn in;
    Reader from(call);
    read(from, in.stats);
    read(from, in.flags);
    if (!from.complaint().empty()) co_return fail(Code::invalid_arg, from.complaint());
    name_object(who.place, in.doms.items.emplace_back());
    CO_TRY(out, co_await ask<ConnectGetAllDomainStatsOut>(std::move(who), self->number, std::move(in)));
    Writer to(reply);
    // A domain that is gone is left out of the list, and that of one domain is empty then.
    write(to, out.ret_stats.items.empty() ? decltype(DomainStatsRecord::params){}
                                          : out.ret_stats.items[0].params);
    co_return to.done();
}

} // namespace

std::vector<Method> domain_tuning_methods() {
    auto out = limits();
    for (auto& one : figures()) out.push_back(std::move(one));
    out.push_back({.name = "GetStats",
                   .in = "uu",
                   .out = "a{sv}",
                   .in_names = "stats flags",
                   .out_names = "records",
                   .number = 344,
                   .serve = &get_stats});
    return out;
}

} // namespace cloister::dbus
