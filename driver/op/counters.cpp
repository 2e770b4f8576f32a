#include "driver/op/counters.hpp"

#include "conf/domain/devices.hpp"
#include "driver/qmp/client.hpp"

#include <fstream>

namespace cloister {

namespace json = boost::json;

std::uint64_t number_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (!value) return 0;
    if (value->is_uint64()) return value->get_uint64();
    if (value->is_int64()) return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value->get_int64()));
    return 0;
}

namespace {

/// The device that a member "qdev" speaks of: an id, or the path of something inside the device.
bool speaks_of(std::string_view qdev, std::string_view alias) {
    if (alias.empty()) return false;
    if (qdev == alias) return true;
    const auto at = qdev.find(alias);
    if (at == std::string_view::npos || at == 0 || qdev[at - 1] != '/') return false;
    return at + alias.size() == qdev.size() || qdev[at + alias.size()] == '/';
}

BlockCounters counters_in(const json::object& stats) {
    return {.rd_reqs = number_of(stats, "rd_operations"),
            .rd_bytes = number_of(stats, "rd_bytes"),
            .rd_times = number_of(stats, "rd_total_time_ns"),
            .wr_reqs = number_of(stats, "wr_operations"),
            .wr_bytes = number_of(stats, "wr_bytes"),
            .wr_times = number_of(stats, "wr_total_time_ns"),
            .fl_reqs = number_of(stats, "flush_operations"),
            .fl_times = number_of(stats, "flush_total_time_ns"),
            .highest_offset = number_of(stats, "wr_highest_offset")};
}

std::uint64_t counter(const std::string& device, const char* name) {
    std::ifstream file("/sys/class/net/" + device + "/statistics/" + name);
    std::uint64_t value = 0;
    file >> value;
    return value;
}

} // namespace

std::map<std::string, BlockCounters> block_counters(const json::value& answer, const Domain& live) {
    std::map<std::string, BlockCounters> out;
    const auto* list = answer.if_array();
    if (!list) return out;
    for (const auto* disk : devices_of<Disk>(live)) {
        if (!disk->info.alias) continue;
        for (const auto& entry : *list) {
            const auto* members = entry.if_object();
            const auto* qdev = members ? members->if_contains("qdev") : nullptr;
            const auto* stats = members ? members->if_contains("stats") : nullptr;
            if (!qdev || !qdev->is_string() || !stats || !stats->is_object()) continue;
            if (speaks_of(qdev->get_string(), disk->info.alias->name))
                out[disk->info.alias->name] = counters_in(stats->get_object());
        }
    }
    return out;
}

std::string io_status(const json::value& answer, const std::string& alias) {
    const auto* list = answer.if_array();
    if (!list) return {};
    for (const auto& entry : *list) {
        const auto* members = entry.if_object();
        const auto* qdev = members ? members->if_contains("qdev") : nullptr;
        const auto* status = members ? members->if_contains("io-status") : nullptr;
        if (qdev && qdev->is_string() && status && status->is_string() &&
            speaks_of(qdev->get_string(), alias))
            return std::string(status->get_string());
    }
    return {};
}

std::map<std::string, std::uint64_t> node_sizes(const json::value& answer) {
    std::map<std::string, std::uint64_t> out;
    const auto* list = answer.if_array();
    if (!list) return out;
    for (const auto& entry : *list) {
        const auto* members = entry.if_object();
        const auto* name = members ? members->if_contains("node-name") : nullptr;
        const auto* image = members ? members->if_contains("image") : nullptr;
        if (name && name->is_string() && image && image->is_object())
            out[std::string(name->get_string())] = number_of(image->get_object(), "virtual-size");
    }
    return out;
}

std::optional<NetCounters> net_counters(const std::string& name, bool swapped) {
    if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
        return std::nullopt;
    if (!std::ifstream("/sys/class/net/" + name + "/statistics/rx_bytes")) return std::nullopt;
    NetCounters out{.rx_bytes = counter(name, "rx_bytes"),
                    .rx_packets = counter(name, "rx_packets"),
                    .rx_errs = counter(name, "rx_errors"),
                    .rx_drop = counter(name, "rx_dropped"),
                    .tx_bytes = counter(name, "tx_bytes"),
                    .tx_packets = counter(name, "tx_packets"),
                    .tx_errs = counter(name, "tx_errors"),
                    .tx_drop = counter(name, "tx_dropped")};
    if (swapped) {
        std::swap(out.rx_bytes, out.tx_bytes);
        std::swap(out.rx_packets, out.tx_packets);
        std::swap(out.rx_errs, out.tx_errs);
        std::swap(out.rx_drop, out.tx_drop);
    }
    return out;
}

bool behind_tap(const Interface& interface) {
    switch (interface.type.value_or(InterfaceType::user)) {
    case InterfaceType::direct: return false; // a macvtap counts as the guest does
    default: return true;
    }
}

BalloonReport balloon_report(const json::value& answer) {
    BalloonReport out;
    const auto* members = answer.if_object();
    if (!members) return out;
    out.last_update = number_of(*members, "last-update");
    const auto* stats = members->if_contains("stats");
    if (!stats || !stats->is_object()) return out;
    for (const auto& [key, value] : stats->get_object()) {
        const bool unsaid = (value.is_uint64() && value.get_uint64() == UINT64_MAX) ||
                            (value.is_int64() && value.get_int64() < 0);
        if (!unsaid && (value.is_uint64() || value.is_int64()))
            out.values[std::string(key)] = number_of(stats->get_object(), key);
    }
    return out;
}

Task<BalloonReport> ask_balloon(GuestPointer guest) {
    if (!guest->live || !guest->running || !guest->running->monitor) co_return BalloonReport{};
    std::string path;
    for (const auto* balloon : devices_of<Memballoon>(*guest->live))
        if (balloon->model != BalloonModel::none && balloon->info.alias)
            path = "/machine/peripheral/" + balloon->info.alias->name;
    if (path.empty()) co_return BalloonReport{};
    const auto monitor = guest->running->monitor;
    json::object question{{"path", path}, {"property", "guest-stats"}};
    auto answer = co_await monitor->execute("qom-get", std::move(question));
    if (!answer) co_return BalloonReport{};
    co_return balloon_report(*answer);
}

std::string host_path(const Disk& disk) {
    if (!disk.source) return {};
    if (disk.source->file) return *disk.source->file;
    if (disk.source->dev) return *disk.source->dev;
    return {};
}

const Disk* disk_named(const Domain& domain, const std::string& name) {
    for (const auto* disk : devices_of<Disk>(domain))
        if (disk->target.dev == name || (!name.empty() && host_path(*disk) == name)) return disk;
    return nullptr;
}

} // namespace cloister
