/// org.libvirt.Domain: virtual CPUs and what they run on. A CPU map is an array of booleans, one for each CPU
/// of the host.
#include "conf/base/tr.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/call/domain_vcpu.hpp"
#include "conf/call/node.hpp"
#include "daemon/dbus/domain_methods.hpp"
#include "daemon/dbus/files.hpp"
#include "daemon/dbus/shapes.hpp"

namespace cloister::dbus {
namespace {

using namespace call;
using Flags = std::uint32_t;
using Bits = std::vector<bool>;

/// How many CPUs the host has: what a map is long. Errors: as ask().
Task<Result<std::size_t>> host_cpus(Request who) {
    constexpr int cpu_map = 293;
    const NodeGetCpuMapIn in;
    CO_TRY(out, co_await ask<NodeGetCpuMapOut>(std::move(who), cpu_map, in));
    co_return static_cast<std::size_t>(std::max(0, out.ret));
}
std::int32_t map_bytes(std::size_t cpus) { return static_cast<std::int32_t>((cpus + 7) / 8); }

Result<Flags> only_flags(Message& call) {
    Flags out = 0;
    Reader from(call);
    read(from, out);
    if (!from.complaint().empty()) return fail(Code::invalid_arg, from.complaint());
    return out;
}

Task<Result<>> get_vcpu_pins(Request who, const Method* self, Message call, Message reply) {
    constexpr std::int32_t most_vcpus = 16'384;
    CO_TRY(flags, only_flags(call));
    CO_TRY(cpus, co_await host_cpus(who));
    DomainGetVcpuPinInfoIn in{.ncpumaps = most_vcpus, .maplen = map_bytes(cpus), .flags = flags};
    name_object(who.place, in.dom);
    CO_TRY(out, co_await ask<DomainGetVcpuPinInfoOut>(std::move(who), self->number, std::move(in)));
    std::vector<Bits> maps;
    for (std::int32_t vcpu = 0; vcpu < out.num; ++vcpu)
        maps.push_back(bits_of(out.cpumaps.value, static_cast<std::size_t>(vcpu * map_bytes(cpus)), cpus));
    Writer to(reply);
    write(to, maps);
    co_return to.done();
}

Task<Result<>> get_emulator_pins(Request who, const Method* self, Message call, Message reply) {
    CO_TRY(flags, only_flags(call));
    CO_TRY(cpus, co_await host_cpus(who));
    DomainGetEmulatorPinInfoIn in{.maplen = map_bytes(cpus), .flags = flags};
    name_object(who.place, in.dom);
    CO_TRY(out, co_await ask<DomainGetEmulatorPinInfoOut>(std::move(who), self->number, std::move(in)));
    Writer to(reply);
    write(to, out.ret > 0 ? bits_of(out.cpumaps.value, 0, cpus) : Bits());
    co_return to.done();
}

Task<Result<>> get_iothreads(Request who, const Method* self, Message call, Message reply) {
    CO_TRY(flags, only_flags(call));
    CO_TRY(cpus, co_await host_cpus(who));
    DomainGetIothreadInfoIn in{.flags = flags};
    name_object(who.place, in.dom);
    CO_TRY(out, co_await ask<DomainGetIothreadInfoOut>(std::move(who), self->number, std::move(in)));
    std::vector<std::tuple<std::uint32_t, Bits>> all;
    for (const auto& one : out.info.items)
        all.emplace_back(one.iothread_id, bits_of(one.cpumap.value, 0, cpus));
    Writer to(reply);
    write(to, all);
    co_return to.done();
}

/// Errors: invalid_arg for a map of no CPU, with the library's own words.
Result<> put_map(const Bits& bits, Opaque<2048>& to, const char* function) {
    if (bits.empty())
        return std::unexpected(Error{.code = Code::invalid_arg,
                                     .message = tr("cpumap in {0} must not be NULL", function),
                                     .domain = ErrorDomain::none,
                                     .bare = true});
    to.value = map_of(bits);
    return {};
}

std::vector<Method> pins() {
    const auto vcpu = [](DomainPinVcpuFlagsIn& in, std::uint32_t which, Bits bits, Flags flags) -> Result<> {
        in.vcpu = which;
        in.flags = flags;
        return put_map(bits, in.cpumap, "virDomainPinVcpuFlags");
    };
    const auto emulator = [](DomainPinEmulatorIn& in, Bits bits, Flags flags) -> Result<> {
        in.flags = flags;
        return put_map(bits, in.cpumap, "virDomainPinEmulator");
    };
    const auto iothread = [](DomainPinIothreadIn& in, std::uint32_t which, Bits bits,
                             Flags flags) -> Result<> {
        in.iothreads_id = which;
        in.flags = flags;
        return put_map(bits, in.cpumap, "virDomainPinIOThread");
    };
    return {
        method<DomainPinEmulatorIn>(279, "PinEmulator", "cpumap flags", "", emulator),
        method<DomainPinIothreadIn>(352, "PinIOThread", "iothreadId cpumap flags", "", iothread),
        method<DomainPinVcpuFlagsIn>(225, "PinVcpu", "vcpu cpumap flags", "", vcpu),
    };
}

std::string listed(const Bits& bits) {
    std::string out;
    for (std::size_t i = 0; i < bits.size(); ++i)
        if (bits[i]) out += (out.empty() ? "" : ",") + std::to_string(i);
    return out;
}

Task<Result<>> open_graphics_fd(Request who, const Method* self, Message call, Message reply) {
    DomainOpenGraphicsFdIn in;
    Reader from(call);
    read(from, in.idx);
    read(from, in.flags);
    if (!from.complaint().empty()) co_return fail(Code::invalid_arg, from.complaint());
    name_object(who.place, in.dom);
    const auto files = who.files_out;
    CO_TRY(out, co_await ask<Nothing>(std::move(who), self->number, std::move(in)));
    co_return write_file(reply, *files);
}

} // namespace

Method open_graphics() {
    return {.name = "OpenGraphicsFD",
            .in = "uu",
            .out = "h",
            .in_names = "idx flags",
            .out_names = "fd",
            .number = 343,
            .serve = &open_graphics_fd};
}

std::vector<Method> domain_vcpu_methods() {
    const auto set_online = [](DomainSetGuestVcpusIn& in, Bits bits, std::int32_t state, Flags flags) {
        in.cpumap.value = listed(bits);
        in.state = state;
        in.flags = flags;
    };
    std::vector<Method> out{
        method<DomainAddIothreadIn>(355, "AddIOThread", "iothreadId flags"),
        method<DomainDelIothreadIn>(356, "DelIOThread", "iothreadId flags"),
        method<DomainGetGuestVcpusIn, DomainGetGuestVcpusOut>(371, "GetGuestVcpus", "flags", "vcpus"),
        method<DomainGetVcpusFlagsIn, DomainGetVcpusFlagsOut>(
            200, "GetVcpus", "flags", "vcpus", AsItIs{}, Only<&DomainGetVcpusFlagsOut::num, std::uint32_t>{}),
        method<DomainSetGuestVcpusIn>(372, "SetGuestVcpus", "vcpumap state flags", "", set_online),
        method<DomainSetVcpusFlagsIn>(199, "SetVcpus", "vcpus flags"),
        {.name = "GetEmulatorPinInfo",
         .in = "u",
         .out = "ab",
         .in_names = "flags",
         .out_names = "cpumap",
         .number = 280,
         .serve = &get_emulator_pins},
        {.name = "GetIOThreadInfo",
         .in = "u",
         .out = "a(uab)",
         .in_names = "flags",
         .out_names = "ioThreadInfo",
         .number = 351,
         .serve = &get_iothreads},
        {.name = "GetVcpuPinInfo",
         .in = "u",
         .out = "aab",
         .in_names = "flags",
         .out_names = "vcpuPinInfo",
         .number = 230,
         .serve = &get_vcpu_pins},
    };
    for (auto& one : pins()) out.push_back(std::move(one));
    return out;
}

} // namespace cloister::dbus
