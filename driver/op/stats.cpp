#include "driver/op/stats.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/offload.hpp"
#include "driver/op/counters.hpp"
#include "driver/op/identity.hpp"
#include "driver/op/list.hpp"
#include "driver/op/thread_times.hpp"
#include "driver/probe/images.hpp"
#include "driver/qmp/client.hpp"

#include <fstream>
#include <sys/stat.h>

namespace cloister {

namespace {

/// The tags of virDomainMemoryStats.
enum MemoryTag : std::int32_t {
    swap_in,
    swap_out,
    major_fault,
    minor_fault,
    unused,
    available,
    actual_balloon,
    rss,
    usable,
    last_update,
    disk_caches,
    hugetlb_pgalloc,
    hugetlb_pgfail,
};

struct MemoryName {
    std::string_view device; ///< the balloon device's name
    MemoryTag tag;
    bool bytes;
};
constexpr MemoryName memory_names[]{
    {"stat-swap-in", swap_in, true},
    {"stat-swap-out", swap_out, true},
    {"stat-major-faults", major_fault, false},
    {"stat-minor-faults", minor_fault, false},
    {"stat-free-memory", unused, true},
    {"stat-total-memory", available, true},
    {"stat-available-memory", usable, true},
    {"stat-disk-caches", disk_caches, true},
    {"stat-htlb-pgalloc", hugetlb_pgalloc, false},
    {"stat-htlb-pgfail", hugetlb_pgfail, false},
};

/// What a host file is: its size, and what it takes.
struct HostFile {
    std::uint64_t size = 0, allocated = 0, capacity = 0;
};
/// `reader` reads what a header tells of the capacity; null where QEMU will tell it.
Result<HostFile> look_at(const std::string& path, const std::string& format, ImageReader* reader) {
    struct stat seen{};
    if (::stat(path.c_str(), &seen) < 0)
        return std::unexpected(system_error(errno, tr("cannot stat file '{0}'", path)));
    HostFile out{.size = static_cast<std::uint64_t>(seen.st_size),
                 .allocated = static_cast<std::uint64_t>(seen.st_blocks) * 512};
    if (S_ISBLK(seen.st_mode)) {
        std::ifstream file(path, std::ios::binary);
        file.seekg(0, std::ios::end);
        out.size = out.allocated = static_cast<std::uint64_t>(std::max<std::streamoff>(0, file.tellg()));
    }
    out.capacity = out.size;
    if (reader)
        if (const auto size = image_size(*reader, path, format); size && *size != 0) out.capacity = *size;
    return out;
}

bool can_ask_qemu(const Guest& guest) {
    return guest.running && guest.running->monitor && !guest.running->starting;
}

std::string format_of(const Disk& disk) { return disk.driver ? disk.driver->type.value_or("raw") : "raw"; }

std::string node_of(const Disk& disk) {
    return disk.source && disk.source->index ? "libvirt-" + std::to_string(*disk.source->index) + "-format"
                                             : "";
}

Task<Result<std::map<std::string, BlockCounters>>> ask_blocks(GuestPointer guest) {
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(answer, co_await monitor->execute("query-blockstats"));
    if (!guest->live) co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    co_return block_counters(answer, *guest->live);
}

/// The counters of one disk; of all when `path` is empty.
Task<Result<BlockCounters>> counters_of(Call call, call::DomainHandle handle, std::string path) {
    CO_TRY(guest, find(call, handle));
    CO_CHECK(need_running(*guest));
    const auto* disk = path.empty() ? nullptr : disk_named(*guest->current(), path);
    if (!path.empty() && !disk) co_return refuse(Code::invalid_arg, tr("invalid path: {0}", path));
    const auto alias = disk && disk->info.alias ? disk->info.alias->name : std::string();
    CO_TRY(all, co_await ask_blocks(guest));
    if (disk) co_return all[alias];
    BlockCounters sum;
    for (const auto& [name, one] : all) {
        sum.rd_reqs += one.rd_reqs;
        sum.rd_bytes += one.rd_bytes;
        sum.rd_times += one.rd_times;
        sum.wr_reqs += one.wr_reqs;
        sum.wr_bytes += one.wr_bytes;
        sum.wr_times += one.wr_times;
        sum.fl_reqs += one.fl_reqs;
        sum.fl_times += one.fl_times;
    }
    co_return sum;
}

// ---- all domains -------------------------------------------------------------------------

namespace group {
constexpr std::uint32_t state = 1, cpu = 2, balloon = 4, vcpu = 8, interface = 16, block = 32;
constexpr std::uint32_t known = state | cpu | balloon | vcpu | interface | block;
/// perf, iothread, memory, dirtyrate, vm: named by clients, but without anything to tell here
constexpr std::uint32_t empty = 64 | 128 | 256 | 512 | 1024;
} // namespace group

class Record {
public:
    void number(std::string name, std::int32_t value) { put(std::move(name), value); }
    void count(std::string name, std::size_t value) {
        put(std::move(name), static_cast<std::uint32_t>(value));
    }
    void big(std::string name, std::uint64_t value) { put(std::move(name), value); }
    void text(std::string name, std::string value) { put(std::move(name), std::move(value)); }
    std::vector<call::TypedParam> params{};

private:
    template <class V> void put(std::string name, V value) {
        params.push_back({.field = {std::move(name)}, .value = std::move(value)});
    }
};

void add_state(Record& out, const Guest& guest) {
    out.number("state.state", static_cast<std::int32_t>(guest.status.state));
    out.number("state.reason", guest.status.reason);
}

void add_cpu(Record& out, const Guest& guest) {
    if (!guest.running || guest.running->pid <= 0) return;
    const auto times = thread_times(guest.running->pid);
    if (!times) return;
    out.big("cpu.time", times->user_ns + times->system_ns);
    out.big("cpu.user", times->user_ns);
    out.big("cpu.system", times->system_ns);
}

std::uint64_t kib_of(const std::optional<MemorySize>& size) { return size ? size->kib : 0; }

void add_balloon(Record& out, const Guest& guest, const BalloonReport& report) {
    const auto& domain = *guest.current();
    const auto most = kib_of(domain.memory);
    auto now = domain.current_memory ? kib_of(domain.current_memory) : most;
    if (guest.running && guest.running->balloon_bytes) now = guest.running->balloon_bytes / 1024;
    out.big("balloon.current", now);
    out.big("balloon.maximum", most);
    if (!guest.running) return;
    constexpr std::string_view names_of_tags[]{
        "swap_in", "swap_out", "major_fault", "minor_fault", "unused",          "available",     "actual",
        "rss",     "usable",   "last-update", "disk_caches", "hugetlb_pgalloc", "hugetlb_pgfail"};
    for (const auto& name : memory_names)
        if (const auto at = report.values.find(std::string(name.device)); at != report.values.end())
            out.big("balloon." + std::string(names_of_tags[name.tag]),
                    name.bytes ? at->second / 1024 : at->second);
    out.big("balloon.last-update", report.last_update);
    out.big("balloon.rss", resident_kib(guest.running->pid));
}

void add_vcpus(Record& out, const Guest& guest) {
    const auto& domain = *guest.current();
    const auto most = domain.vcpu ? domain.vcpu->count : 1;
    out.count("vcpu.current", domain.vcpu ? domain.vcpu->current.value_or(most) : 1);
    out.count("vcpu.maximum", most);
    if (!guest.running) return;
    for (const auto& thread : guest.running->vcpus) {
        const auto times = thread_times(guest.running->pid, thread.tid);
        if (!times) continue;
        const auto head = "vcpu." + std::to_string(thread.index) + ".";
        constexpr std::int32_t runs = 1;
        out.number(head + "state", runs);
        out.big(head + "time", times->user_ns + times->system_ns);
        out.big(head + "wait", 0);
        out.big(head + "delay", times->delay_ns);
    }
}

void add_interfaces(Record& out, const Guest& guest) {
    if (!guest.running) return;
    const auto all = devices_of<Interface>(*guest.current());
    out.count("net.count", all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!all[i]->target || !all[i]->target->dev) continue;
        const auto head = "net." + std::to_string(i) + ".";
        out.text(head + "name", *all[i]->target->dev);
        const auto seen = net_counters(*all[i]->target->dev, behind_tap(*all[i]));
        if (!seen) continue;
        out.big(head + "rx.bytes", seen->rx_bytes);
        out.big(head + "rx.pkts", seen->rx_packets);
        out.big(head + "rx.errs", seen->rx_errs);
        out.big(head + "rx.drop", seen->rx_drop);
        out.big(head + "tx.bytes", seen->tx_bytes);
        out.big(head + "tx.pkts", seen->tx_packets);
        out.big(head + "tx.errs", seen->tx_errs);
        out.big(head + "tx.drop", seen->tx_drop);
    }
}

/// What QEMU was asked about the disks of one domain.
struct BlockAnswers {
    std::map<std::string, BlockCounters> counters{};
    std::map<std::string, std::uint64_t> sizes{};
    std::map<std::string, HostFile> files{};
};

Task<BlockAnswers> ask_about_disks(Driver* driver, GuestPointer guest, bool may_wait) {
    BlockAnswers out;
    const auto domain = guest->current();
    std::vector<std::pair<std::string, std::string>> paths;
    for (const auto* disk : devices_of<Disk>(*domain))
        if (auto path = host_path(*disk); !path.empty())
            paths.emplace_back(std::move(path), format_of(*disk));
    const bool qemu_tells = can_ask_qemu(*guest) && (may_wait || !guest->jobs.busy());
    auto look = [paths, qemu_tells, program = driver->image_reader()] { // named: see offload.hpp
        std::map<std::string, HostFile> seen;
        ImageReader reader(program);
        for (const auto& [path, format] : paths)
            if (auto file = look_at(path, format, qemu_tells ? nullptr : &reader)) seen[path] = *file;
        return seen;
    };
    out.files = co_await offload(driver->workers(), std::move(look));
    if (!can_ask_qemu(*guest) || (!may_wait && guest->jobs.busy())) co_return out;
    const auto monitor = guest->running->monitor;
    auto stats = co_await monitor->execute("query-blockstats");
    if (stats) out.counters = block_counters(*stats, *domain);
    boost::json::object flat{{"flat", true}};
    auto nodes = co_await monitor->execute("query-named-block-nodes", std::move(flat));
    if (nodes) out.sizes = node_sizes(*nodes);
    co_return out;
}

void add_blocks(Record& out, const Guest& guest, const BlockAnswers& answers) {
    const auto all = devices_of<Disk>(*guest.current());
    out.count("block.count", all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& disk = *all[i];
        const auto head = "block." + std::to_string(i) + ".";
        out.text(head + "name", disk.target.dev.value_or(""));
        const auto path = host_path(disk);
        if (!path.empty()) out.text(head + "path", path);
        if (disk.source && disk.source->index) out.count(head + "backingIndex", *disk.source->index);
        const auto alias = disk.info.alias ? disk.info.alias->name : std::string();
        const auto counters = answers.counters.find(alias);
        if (counters != answers.counters.end()) {
            const auto& c = counters->second;
            out.big(head + "rd.reqs", c.rd_reqs);
            out.big(head + "rd.bytes", c.rd_bytes);
            out.big(head + "rd.times", c.rd_times);
            out.big(head + "wr.reqs", c.wr_reqs);
            out.big(head + "wr.bytes", c.wr_bytes);
            out.big(head + "wr.times", c.wr_times);
            out.big(head + "fl.reqs", c.fl_reqs);
            out.big(head + "fl.times", c.fl_times);
        }
        const auto file = answers.files.find(path);
        if (file == answers.files.end()) continue;
        const auto node = answers.sizes.find(node_of(disk));
        out.big(head + "allocation", counters != answers.counters.end() ? counters->second.highest_offset
                                                                        : file->second.allocated);
        out.big(head + "capacity", node != answers.sizes.end() ? node->second : file->second.capacity);
        out.big(head + "physical", file->second.size);
    }
}

Task<call::DomainStatsRecord> record_of(Driver* driver, GuestPointer guest, std::uint32_t groups,
                                        bool may_wait) {
    Record out;
    if (groups & group::state) add_state(out, *guest);
    if (groups & group::cpu) add_cpu(out, *guest);
    if (groups & group::balloon) {
        BalloonReport report;
        if (may_wait || !guest->jobs.busy()) report = co_await ask_balloon(guest);
        add_balloon(out, *guest, report);
    }
    if (groups & group::vcpu) add_vcpus(out, *guest);
    if (groups & group::interface) add_interfaces(out, *guest);
    if (groups & group::block) {
        const auto answers = co_await ask_about_disks(driver, guest, may_wait);
        add_blocks(out, *guest, answers);
    }
    call::DomainStatsRecord record{.dom = handle(*guest)};
    record.params.items = std::move(out.params);
    co_return record;
}

} // namespace

Task<Result<DomainMemoryStats::Out>> DomainMemoryStats::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainMemoryStats"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    const auto report = co_await ask_balloon(guest);
    if (!guest->running || !guest->live)
        co_return refuse(Code::operation_invalid, tr("domain is not running"));
    Out out;
    const auto add = [&](MemoryTag tag, std::uint64_t value) {
        if (out.stats.items.size() < in.max_stats) out.stats.items.push_back({.tag = tag, .val = value});
    };
    const auto now = guest->running->balloon_bytes ? guest->running->balloon_bytes / 1024
                     : guest->live->current_memory ? guest->live->current_memory->kib
                                                   : kib_of(guest->live->memory);
    add(actual_balloon, now);
    for (const auto& name : memory_names)
        if (const auto at = report.values.find(std::string(name.device)); at != report.values.end())
            add(name.tag, name.bytes ? at->second / 1024 : at->second);
    add(last_update, report.last_update);
    add(rss, resident_kib(guest->running->pid));
    co_return out;
}

Task<Result<DomainBlockStats::Out>> DomainBlockStats::run(Call call, In in) {
    CO_TRY(seen, co_await counters_of(std::move(call), std::move(in.dom), std::move(in.path.value)));
    co_return Out{.rd_req = static_cast<std::int64_t>(seen.rd_reqs),
                  .rd_bytes = static_cast<std::int64_t>(seen.rd_bytes),
                  .wr_req = static_cast<std::int64_t>(seen.wr_reqs),
                  .wr_bytes = static_cast<std::int64_t>(seen.wr_bytes),
                  .errs = -1};
}

Task<Result<DomainBlockStatsFlags::Out>> DomainBlockStatsFlags::run(Call call, In in) {
    constexpr std::uint32_t string_okay = 4;
    constexpr std::int32_t count = 8;
    CO_CHECK(check_flags(in.flags, string_okay, "qemuDomainBlockStatsFlags"));
    CO_TRY(seen, co_await counters_of(std::move(call), std::move(in.dom), std::move(in.path.value)));
    Out out{.nparams = count};
    if (in.nparams == 0) co_return out;
    const std::pair<const char*, std::uint64_t> values[]{
        {"wr_bytes", seen.wr_bytes},        {"wr_operations", seen.wr_reqs},
        {"rd_bytes", seen.rd_bytes},        {"rd_operations", seen.rd_reqs},
        {"flush_operations", seen.fl_reqs}, {"wr_total_times", seen.wr_times},
        {"rd_total_times", seen.rd_times},  {"flush_total_times", seen.fl_times}};
    for (const auto& [name, value] : values)
        if (out.params.items.size() < static_cast<std::size_t>(std::max(0, in.nparams)))
            out.params.items.push_back({.field = {name}, .value = static_cast<std::int64_t>(value)});
    out.nparams = static_cast<std::int32_t>(out.params.items.size());
    co_return out;
}

Task<Result<DomainGetBlockInfo::Out>> DomainGetBlockInfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetBlockInfo"));
    CO_TRY(guest, find(call, in.dom));
    const auto domain = guest->current();
    const auto* disk = disk_named(*domain, in.path.value);
    if (!disk)
        co_return refuse(Code::invalid_arg, tr("invalid path {0} not assigned to domain", in.path.value));
    const auto path = host_path(*disk);
    if (path.empty())
        co_return refuse(Code::invalid_arg,
                         tr("disk '{0}' does not currently have a source assigned", in.path.value));
    const auto format = format_of(*disk);
    const auto node = node_of(*disk);
    auto look = [path, format, qemu_tells = can_ask_qemu(*guest), program = call.driver->image_reader()] {
        ImageReader reader(program);
        return look_at(path, format, qemu_tells ? nullptr : &reader);
    };
    CO_TRY(file, co_await offload(call.driver->workers(), std::move(look)));
    Out out{.allocation = file.allocated, .capacity = file.capacity, .physical = file.size};
    if (can_ask_qemu(*guest)) {
        const auto monitor = guest->running->monitor;
        boost::json::object flat{{"flat", true}};
        auto nodes = co_await monitor->execute("query-named-block-nodes", std::move(flat));
        if (nodes) {
            const auto sizes = node_sizes(*nodes);
            if (const auto at = sizes.find(node); at != sizes.end()) out.capacity = at->second;
        }
    }
    co_return out;
}

Task<Result<DomainInterfaceStats::Out>> DomainInterfaceStats::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    const Interface* found = nullptr;
    for (const auto* interface : devices_of<Interface>(*guest->current())) {
        const bool by_name = interface->target && interface->target->dev == in.device.value;
        const bool by_mac = interface->mac && printed(interface->mac->address) == in.device.value;
        if (by_name || by_mac) found = interface;
    }
    if (!found) co_return refuse(Code::invalid_arg, tr("'{0}' is not a known interface", in.device.value));
    const auto name = found->target ? found->target->dev.value_or("") : std::string();
    const auto seen = net_counters(name, behind_tap(*found));
    if (!seen) co_return refuse(Code::internal, tr("/proc/net/dev: Interface not found"));
    const auto as_signed = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
    co_return Out{.rx_bytes = as_signed(seen->rx_bytes),
                  .rx_packets = as_signed(seen->rx_packets),
                  .rx_errs = as_signed(seen->rx_errs),
                  .rx_drop = as_signed(seen->rx_drop),
                  .tx_bytes = as_signed(seen->tx_bytes),
                  .tx_packets = as_signed(seen->tx_packets),
                  .tx_errs = as_signed(seen->tx_errs),
                  .tx_drop = as_signed(seen->tx_drop)};
}

Task<Result<ConnectGetAllDomainStats::Out>> ConnectGetAllDomainStats::run(Call call, In in) {
    constexpr std::uint32_t filters = 0xff, no_wait = 1u << 29, backing = 1u << 30, enforce = 1u << 31;
    CO_CHECK(check_flags(in.flags, filters | no_wait | backing | enforce, "qemuConnectGetAllDomainStats"));
    const auto unknown = in.stats & ~(group::known | group::empty);
    const auto unanswered = in.stats & ~group::known;
    if (unknown && (in.flags & enforce))
        co_return refuse(Code::argument_unsupported,
                         tr("Stats types bits 0x{0:x} are not supported by this daemon or QEMU", unanswered));
    const auto groups = in.stats ? in.stats : group::known;
    auto guests = call.driver->registry().all();
    if (!in.doms.items.empty()) {
        auto named = std::make_shared<std::vector<GuestPointer>>();
        for (const auto& dom : in.doms.items) {
            CO_TRY(guest, find(call, dom));
            named->push_back(guest);
        }
        guests = std::move(named);
    }
    constexpr Permission read{"domain", "read"};
    guests = co_await visible(call, std::move(guests), read);
    Out out;
    for (const auto& guest : *guests) {
        if (!listed(*guest, in.flags & filters)) continue;
        auto record = co_await record_of(call.driver, guest, groups, !(in.flags & no_wait));
        out.ret_stats.items.push_back(std::move(record));
    }
    co_return out;
}

} // namespace cloister
