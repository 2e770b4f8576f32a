#include "driver/probe/node.hpp"

#include "conf/base/tr.hpp"
#include "driver/probe/sysfs.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sys/sysinfo.h>
#include <unistd.h>

namespace cloister {

namespace {

const std::string cpus_at = "/sys/devices/system/cpu/";
const std::string nodes_at = "/sys/devices/system/node/";

std::string cpu_folder(unsigned id) { return cpus_at + "cpu" + std::to_string(id) + "/"; }
std::string node_folder(unsigned id) { return nodes_at + "node" + std::to_string(id) + "/"; }

/// Of a host without NUMA there is one cell, number 0, with everything.
bool has_nodes() { return ::access(nodes_at.c_str(), F_OK) == 0; }

std::uint64_t base_page_kib() { return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024; }

HostCpu cpu(unsigned id) {
    const auto at = cpu_folder(id) + "topology/";
    const auto part = [&](const char* name) {
        return static_cast<unsigned>(file_number(at + name).value_or(0));
    };
    HostCpu out{
        .id = id, .socket = part("physical_package_id"), .die = part("die_id"), .core = part("core_id")};
    out.siblings = number_list(file_line(at + "thread_siblings_list"));
    if (out.siblings.empty()) out.siblings = {id};
    // A package or die that the platform does not number reads as -1.
    if (file_line(at + "physical_package_id").starts_with('-')) out.socket = 0;
    if (file_line(at + "die_id").starts_with('-')) out.die = 0;
    return out;
}

/// "hugepages-2048kB" -> 2048
std::optional<std::uint64_t> pool_size(std::string_view name) {
    constexpr std::string_view stem = "hugepages-";
    std::uint64_t out = 0;
    if (!name.starts_with(stem)) return std::nullopt;
    const auto [end, error] = std::from_chars(name.data() + stem.size(), name.data() + name.size(), out);
    return error == std::errc() ? std::optional(out) : std::nullopt;
}

std::string pools_folder(unsigned cell) {
    return has_nodes() ? node_folder(cell) + "hugepages/" : "/sys/kernel/mm/hugepages/";
}

std::string cell_meminfo(unsigned cell) {
    return file_text(has_nodes() ? node_folder(cell) + "meminfo" : "/proc/meminfo").value_or("");
}

/// A line of a node's meminfo begins with "Node 0 ".
std::uint64_t cell_field(unsigned cell, const std::string& text, const std::string& name) {
    return field(text, has_nodes() ? "Node " + std::to_string(cell) + " " + name : name).value_or(0);
}

HostCell cell(unsigned id, const std::vector<unsigned>& online) {
    const auto memory = cell_meminfo(id);
    HostCell out{.id = id,
                 .memory_kib = cell_field(id, memory, "MemTotal"),
                 .free_kib = cell_field(id, memory, "MemFree")};
    std::uint64_t huge_kib = 0;
    for (const auto& name : entries(pools_folder(id)))
        if (const auto size = pool_size(name)) {
            const auto at = pools_folder(id) + name + "/";
            const auto total = file_number(at + "nr_hugepages").value_or(0);
            out.pages.push_back({*size, total, file_number(at + "free_hugepages").value_or(0)});
            huge_kib += *size * total;
        }
    std::ranges::sort(out.pages, {}, &PagePool::size_kib);
    const auto page = base_page_kib();
    const auto small = out.memory_kib > huge_kib ? out.memory_kib - huge_kib : 0;
    out.pages.insert(out.pages.begin(), {page, small / page, out.free_kib / page});
    const auto distances = file_line(node_folder(id) + "distance");
    unsigned other = 0;
    for (const auto word : split(distances, ' ')) {
        unsigned value = 0;
        std::from_chars(word.data(), word.data() + word.size(), value);
        out.distances.emplace_back(other++, value);
    }
    const auto own = has_nodes() ? number_list(file_line(node_folder(id) + "cpulist")) : online;
    for (const auto one : own)
        if (std::ranges::count(online, one) > 0) out.cpus.push_back(cpu(one));
    return out;
}

std::vector<CacheBank> caches(const std::vector<unsigned>& online) {
    std::map<std::tuple<unsigned, std::string, unsigned>, CacheBank> out;
    unsigned highest = 0;
    for (const auto id : online)
        for (const auto& name : entries(cpu_folder(id) + "cache")) {
            if (!name.starts_with("index")) continue;
            const auto at = cpu_folder(id) + "cache/" + name + "/";
            CacheBank bank{.id = static_cast<unsigned>(file_number(at + "id").value_or(0)),
                           .level = static_cast<unsigned>(file_number(at + "level").value_or(0)),
                           .type = file_line(at + "type")};
            bank.type = bank.type == "Instruction" ? "code" : bank.type == "Data" ? "data" : "both";
            bank.size_kib = file_number(at + "size").value_or(0); // "480K", always in KiB
            bank.cpus = number_list(file_line(at + "shared_cpu_list"));
            highest = std::max(highest, bank.level);
            out.emplace(std::tuple{bank.level, bank.type, bank.id}, std::move(bank));
        }
    std::vector<CacheBank> last; // only the last level is reported: what guests compete for
    for (auto& [key, bank] : out)
        if (bank.level == highest && highest >= 3) last.push_back(std::move(bank));
    return last;
}

std::string after_colon(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    const auto value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string_view::npos ? std::string() : std::string(line.substr(value));
}

void read_cpuinfo(HostTopology& out) {
    const auto text = file_text("/proc/cpuinfo", 65536).value_or("");
    const auto first = std::string_view(text).substr(0, text.find("\n\n"));
    for (const auto line : split(first, '\n')) {
        if (line.starts_with("vendor_id")) out.cpu_vendor = after_colon(line);
        if (line.starts_with("model name")) out.cpu_model_name = after_colon(line);
        if (line.starts_with("microcode")) {
            const auto value = after_colon(line);
            if (value.size() > 2)
                std::from_chars(value.data() + 2, value.data() + value.size(), out.microcode, 16);
        }
        if (line.starts_with("flags"))
            for (const auto flag : split(line.substr(line.find(':') + 1), ' '))
                if (!flag.empty()) out.cpu_flags.emplace_back(flag);
        if (line.starts_with("address sizes"))
            out.physical_bits = static_cast<unsigned>(std::atoi(after_colon(line).c_str()));
    }
    out.family = static_cast<unsigned>(field(first, "cpu family").value_or(0));
    out.model = static_cast<unsigned>(field(first, "model").value_or(0));
    out.stepping = static_cast<unsigned>(field(first, "stepping").value_or(0));
    out.mhz = static_cast<unsigned>(field(first, "cpu MHz").value_or(0));
}

unsigned last_cell() {
    const auto nodes = number_list(file_line(nodes_at + "online"));
    return nodes.empty() ? 0 : nodes.back();
}

/// Total and free, in bytes: of all NUMA cells, as libvirt counts. Memory that was added later can be missing
/// in them.
std::pair<std::uint64_t, std::uint64_t> memory_now() {
    if (has_nodes()) {
        std::pair<std::uint64_t, std::uint64_t> sum{};
        for (const auto id : number_list(file_line(nodes_at + "online"))) {
            const auto text = cell_meminfo(id);
            sum.first += cell_field(id, text, "MemTotal") * 1024;
            sum.second += cell_field(id, text, "MemFree") * 1024;
        }
        if (sum.first > 0) return sum;
    }
    struct sysinfo now{};
    if (::sysinfo(&now) < 0) return {};
    return {std::uint64_t{now.totalram} * now.mem_unit, std::uint64_t{now.freeram} * now.mem_unit};
}

std::string host_uuid(std::string_view source) {
    auto smbios = file_line("/sys/class/dmi/id/product_uuid");
    if (source == "smbios" && smbios.size() == 36) return smbios;
    const auto id = file_line("/etc/machine-id");
    if (id.size() != 32)
        return file_line("/proc/sys/kernel/random/boot_id"); // better than another one at each call
    return id.substr(0, 8) + '-' + id.substr(8, 4) + '-' + id.substr(12, 4) + '-' + id.substr(16, 4) + '-' +
           id.substr(20);
}

} // namespace

HostTopology host_topology(std::string uuid, std::string_view uuid_source) {
    HostTopology out{.uuid = uuid.empty() ? host_uuid(uuid_source) : std::move(uuid)};
    out.present = number_list(file_line(cpus_at + "present"));
    out.online = number_list(file_line(cpus_at + "online"));
    auto nodes = number_list(file_line(nodes_at + "online"));
    if (nodes.empty()) nodes = {0};
    for (const auto id : nodes) out.cells.push_back(cell(id, out.online));
    out.caches = caches(out.online);
    read_cpuinfo(out);
    out.tsc_hz = file_number(cpus_at + "cpu0/tsc_freq_khz").value_or(0) * 1000;
    out.iommu = !entries("/sys/kernel/iommu_groups").empty();
    const auto states = file_line("/sys/power/state");
    out.suspend_mem = states.find("mem") != std::string::npos;
    out.suspend_disk = states.find("disk") != std::string::npos;
    return out;
}

NodeInfo node_info(const HostTopology& topology) {
    NodeInfo out{.model = topology.arch,
                 .cpus = static_cast<unsigned>(topology.online.size()),
                 .mhz = topology.mhz,
                 .nodes = std::max(1u, static_cast<unsigned>(topology.cells.size()))};
    out.memory_kib = memory_now().first / 1024;
    for (const auto& cell : topology.cells) {
        std::map<std::pair<unsigned, unsigned>, std::set<unsigned>> cores; // (socket, die) -> cores
        std::set<unsigned> sockets;
        for (const auto& one : cell.cpus) {
            sockets.insert(one.socket);
            cores[{one.socket, one.die}].insert(one.core);
            out.threads = std::max(out.threads, static_cast<unsigned>(one.siblings.size()));
        }
        out.sockets = std::max(out.sockets, static_cast<unsigned>(sockets.size()));
        std::map<unsigned, unsigned> per_socket;
        for (const auto& [where, ids] : cores)
            out.cores = std::max(out.cores, per_socket[where.first] += static_cast<unsigned>(ids.size()));
    }
    if (out.nodes * out.sockets * out.cores * out.threads != out.cpus) {
        out.nodes = out.sockets = out.threads = 1;
        out.cores = std::max(1u, out.cpus);
    }
    return out;
}

Result<Counters> cpu_counters(std::optional<unsigned> cpu) {
    const auto name = cpu ? "cpu" + std::to_string(*cpu) : std::string("cpu");
    const auto text = file_text("/proc/stat", 1 << 24).value_or("");
    for (const auto line : split(text, '\n')) {
        const auto words = split(line, ' ');
        if (words.empty() || words[0] != name) continue;
        std::vector<std::uint64_t> ticks;
        for (const auto word : words) {
            std::uint64_t value = 0;
            if (!word.empty() &&
                std::from_chars(word.data(), word.data() + word.size(), value).ec == std::errc())
                ticks.push_back(value);
        }
        // user nice system idle iowait irq softirq. Source: proc(5)
        if (ticks.size() < 7) break;
        const auto ns = 1'000'000'000u / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
        return Counters{{"kernel", (ticks[2] + ticks[5] + ticks[6]) * ns},
                        {"user", (ticks[0] + ticks[1]) * ns},
                        {"idle", ticks[3] * ns},
                        {"iowait", ticks[4] * ns}};
    }
    return fail(Code::invalid_arg, tr("Invalid cpuNum in virHostCPUGetStatsLinux"));
}

Result<Counters> memory_counters(std::optional<unsigned> cell) {
    if (!cell) {
        const auto text = file_text("/proc/meminfo").value_or("");
        Counters out;
        for (const auto& [name, key] : {std::pair{"total", "MemTotal"},
                                        {"free", "MemFree"},
                                        {"buffers", "Buffers"},
                                        {"cached", "Cached"}})
            out.emplace_back(name, field(text, key).value_or(0));
        return out;
    }
    const auto text = cell_meminfo(*cell);
    if (text.empty() || (!has_nodes() && *cell != 0))
        return fail(Code::invalid_arg,
                    tr("cellNum in virHostMemGetStats must be less than or equal to {0}", last_cell()));
    return Counters{{"total", cell_field(*cell, text, "MemTotal")},
                    {"free", cell_field(*cell, text, "MemFree")}};
}

std::uint64_t free_memory() { return memory_now().second; }

std::optional<std::uint64_t> free_memory_of(unsigned cell) {
    const auto text = cell_meminfo(cell);
    if (text.empty() || (!has_nodes() && cell != 0)) return std::nullopt;
    return cell_field(cell, text, "MemFree") * 1024;
}

Result<std::uint64_t> free_pages(unsigned cell, std::uint64_t size_kib) {
    if (size_kib == base_page_kib()) return free_memory_of(cell).value_or(0) / 1024 / size_kib;
    const auto count =
        file_number(pools_folder(cell) + "hugepages-" + std::to_string(size_kib) + "kB/free_hugepages");
    if (!count)
        return fail(Code::operation_failed, tr("page size {0} is not available on node {1}", size_kib, cell));
    return *count;
}

} // namespace cloister
