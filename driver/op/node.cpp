#include "driver/op/node.hpp"

#include "conf/base/tr.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/plan/mac.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/probe/node.hpp"
#include "driver/probe/sysfs.hpp"

#include <algorithm>

namespace cloister {

namespace {

/// The reference's node calls come from a library without a domain of its own.
Error from_host(Error error) {
    error.domain = ErrorDomain::none;
    return error;
}

Result<> flags_of_host(std::uint32_t flags, std::uint32_t known, std::string_view function) {
    auto fine = check_flags(flags, known, function);
    if (!fine) return std::unexpected(from_host(std::move(fine).error()));
    return fine;
}

/// The wire's pairs; a client that asks with room for none wants to know how many there are.
template <class Out> Out listed(const Counters& counters, std::int32_t room) {
    Out out;
    out.nparams = static_cast<std::int32_t>(counters.size());
    if (room == 0) return out;
    for (const auto& [name, value] : counters) {
        if (out.params.items.size() == static_cast<std::size_t>(std::max(room, 0))) break;
        auto& one = out.params.items.emplace_back();
        one.field.value = name;
        one.value = value;
    }
    return out;
}

std::vector<unsigned> cells() {
    auto out = number_list(file_line("/sys/devices/system/node/online"));
    if (out.empty()) out = {0};
    return out;
}

std::unexpected<Error> no_cell(std::int64_t cell, unsigned last) {
    return std::unexpected(
        from_host(Error{.message = tr("start cell {0} out of range (0-{1})", cell, last)}));
}

Result<std::vector<std::uint64_t>> free_of_cells(std::int32_t first, std::int32_t most) {
    const auto all = cells();
    const auto last = all.back();
    if (first < 0 || static_cast<unsigned>(first) > last) return no_cell(first, last);
    std::vector<std::uint64_t> out;
    for (auto id = static_cast<unsigned>(first);
         id <= last && out.size() < static_cast<std::size_t>(std::max(most, 0)); ++id)
        out.push_back(free_memory_of(id).value_or(0)); // a hole in the numbering has none
    return out;
}

Result<std::vector<std::uint64_t>> free_pages_of(const std::vector<std::uint32_t>& sizes, std::int64_t first,
                                                 std::uint32_t count) {
    const auto all = cells();
    const auto last = all.back();
    if (first < -1 || first > static_cast<std::int64_t>(last)) return no_cell(first, last);
    std::vector<std::uint64_t> out;
    for (auto id = first;
         id <= static_cast<std::int64_t>(last) && id < first + static_cast<std::int64_t>(count); ++id)
        for (const auto size : sizes) {
            std::uint64_t pages = 0;
            for (const auto cell : all)
                if (id == -1 || cell == static_cast<unsigned>(id)) {
                    auto some = free_pages(cell, size);
                    if (!some) return std::unexpected(from_host(std::move(some).error()));
                    pages += *some;
                }
            out.push_back(pages);
        }
    return out;
}

struct KsmValue {
    const char *name, *file;
    bool wide;
};
constexpr KsmValue ksm[]{
    {"shm_pages_to_scan", "pages_to_scan", false},  {"shm_sleep_millisecs", "sleep_millisecs", false},
    {"shm_pages_shared", "pages_shared", true},     {"shm_pages_sharing", "pages_sharing", true},
    {"shm_pages_unshared", "pages_unshared", true}, {"shm_pages_volatile", "pages_volatile", true},
    {"shm_full_scans", "full_scans", true},         {"shm_merge_across_nodes", "merge_across_nodes", false},
};

} // namespace

Task<Result<NodeGetInfo::Out>> NodeGetInfo::run(Call call, In) {
    auto count = [] { return node_info(host_topology("-")); };
    const auto info = co_await offload(call.driver->workers(), count);
    co_return Out{.model = {info.model},
                  .memory = info.memory_kib,
                  .cpus = static_cast<std::int32_t>(info.cpus),
                  .mhz = static_cast<std::int32_t>(info.mhz),
                  .nodes = static_cast<std::int32_t>(info.nodes),
                  .sockets = static_cast<std::int32_t>(info.sockets),
                  .cores = static_cast<std::int32_t>(info.cores),
                  .threads = static_cast<std::int32_t>(info.threads)};
}

Task<Result<NodeGetCellsFreeMemory::Out>> NodeGetCellsFreeMemory::run(Call, In in) {
    CO_TRY(free, free_of_cells(in.start_cell, std::min(in.maxcells, 1024)));
    co_return Out{.cells = {std::move(free)}};
}

Task<Result<NodeGetFreeMemory::Out>> NodeGetFreeMemory::run(Call, In) {
    co_return Out{.free_mem = free_memory()};
}

Task<Result<NodeGetSecurityModel::Out>> NodeGetSecurityModel::run(Call call, In) {
    CO_TRY(facts, co_await call.driver->facts({}));
    std::string model(mac_model(call.driver->conf(), facts)), doi = "0";
    model.push_back('\0'); // the wire's arrays carry it
    doi.push_back('\0');
    co_return Out{.model = {std::move(model)}, .doi = {std::move(doi)}};
}

Task<Result<NodeGetCpuStats::Out>> NodeGetCpuStats::run(Call, In in) {
    CO_CHECK(flags_of_host(in.flags, 0, "virHostCPUGetStats"));
    if (in.cpu_num < -1)
        co_return refuse(Code::invalid_arg,
                         tr("cpuNum in virNodeGetCPUStats only accepts -1 as a negative value"),
                         ErrorDomain::domain);
    auto counters =
        cpu_counters(in.cpu_num < 0 ? std::nullopt : std::optional(static_cast<unsigned>(in.cpu_num)));
    if (!counters) co_return std::unexpected(from_host(std::move(counters).error()));
    co_return listed<Out>(*counters, in.nparams);
}

Task<Result<NodeGetMemoryStats::Out>> NodeGetMemoryStats::run(Call, In in) {
    CO_CHECK(flags_of_host(in.flags, 0, "virHostMemGetStats"));
    if (in.cell_num < -1)
        co_return refuse(Code::invalid_arg,
                         tr("cellNum in virNodeGetMemoryStats only accepts -1 as a negative value"),
                         ErrorDomain::domain);
    auto counters =
        memory_counters(in.cell_num < 0 ? std::nullopt : std::optional(static_cast<unsigned>(in.cell_num)));
    if (!counters) co_return std::unexpected(from_host(std::move(counters).error()));
    co_return listed<Out>(*counters, in.nparams);
}

Task<Result<NodeGetMemoryParameters::Out>> NodeGetMemoryParameters::run(Call, In in) {
    constexpr std::uint32_t string_okay = 4; // VIR_TYPED_PARAM_STRING_OKAY
    CO_CHECK(flags_of_host(in.flags, string_okay, "virHostMemGetParameters"));
    Out out;
    for (const auto& one : ksm) {
        const auto value = file_number(std::string("/sys/kernel/mm/ksm/") + one.file);
        if (!value) continue;
        ++out.nparams;
        if (in.nparams == 0) continue;
        call::TypedParam parameter;
        parameter.field.value = one.name;
        if (one.wide)
            parameter.value = *value;
        else
            parameter.value = static_cast<std::uint32_t>(*value);
        out.params.items.push_back(std::move(parameter));
    }
    co_return out;
}

Task<Result<NodeGetCpuMap::Out>> NodeGetCpuMap::run(Call, In in) {
    CO_CHECK(flags_of_host(in.flags, 0, "virHostCPUGetMap"));
    const auto present = number_list(file_line("/sys/devices/system/cpu/present"));
    const auto online = number_list(file_line("/sys/devices/system/cpu/online"));
    Out out;
    out.ret = present.empty() ? 0 : static_cast<std::int32_t>(present.back()) + 1;
    if (in.need_online) out.online = static_cast<std::uint32_t>(online.size());
    if (!in.need_map) co_return out;
    out.cpumap.value.resize((static_cast<std::size_t>(out.ret) + 7) / 8);
    for (const auto cpu : online)
        if (cpu / 8 < out.cpumap.value.size())
            out.cpumap.value[cpu / 8] =
                static_cast<std::uint8_t>(out.cpumap.value[cpu / 8] | (1u << (cpu % 8)));
    co_return out;
}

Task<Result<NodeGetFreePages::Out>> NodeGetFreePages::run(Call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuNodeGetFreePages"));
    CO_TRY(pages, free_pages_of(in.pages.items, in.start_cell, in.cell_count));
    co_return Out{.counts = {std::move(pages)}};
}

Task<Result<NodeGetSevInfo::Out>> NodeGetSevInfo::run(Call, In) {
    co_return fail(Code::operation_unsupported, tr("QEMU does not support SEV guest"));
}

} // namespace cloister
