#include "security/kernel/bpf.hpp"

#include "conf/base/tr.hpp"
#include "security/cgroup_bpf.hpp"
#include "security/kernel/fd.hpp"
#include "security/kernel/multipath.hpp"
#include "security/kernel/run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cloister {
namespace {

long bpf(int command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}
std::uint64_t address(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

Result<Fd> make_map(bpf_attr a, std::string_view name) {
    name.copy(a.map_name, sizeof a.map_name - 1);
    Fd map(static_cast<int>(bpf(BPF_MAP_CREATE, a)));
    if (!map) return failed("make", "a BPF map", Layer::cgroup);
    return map;
}

Result<Fd> make_device_map() {
    bpf_attr a{};
    a.map_type = BPF_MAP_TYPE_HASH;
    a.key_size = sizeof(BpfDeviceKey);
    a.value_size = sizeof(std::uint32_t);
    a.max_entries = bpf_device_entries;
    a.map_flags = BPF_F_NO_PREALLOC;
    return make_map(a, bpf_device_map_name);
}
Result<Fd> make_denial_map() {
    bpf_attr a{};
    a.map_type = BPF_MAP_TYPE_LRU_HASH;
    a.key_size = sizeof(BpfDenialKey);
    a.value_size = sizeof(BpfDenial);
    a.max_entries = bpf_denial_entries;
    return make_map(a, bpf_denial_map_name);
}

Result<> put(const Fd& map, const BpfDeviceKey& key, std::uint32_t access) {
    bpf_attr a{};
    a.map_fd = static_cast<__u32>(map.n());
    a.key = address(&key);
    a.value = address(&access);
    if (bpf(BPF_MAP_UPDATE_ELEM, a) < 0) return failed("write", "a BPF map", Layer::cgroup);
    return {};
}
std::uint32_t get(const Fd& map, const BpfDeviceKey& key) {
    std::uint32_t access = 0;
    bpf_attr a{};
    a.map_fd = static_cast<__u32>(map.n());
    a.key = address(&key);
    a.value = address(&access);
    return bpf(BPF_MAP_LOOKUP_ELEM, a) < 0 ? 0 : access;
}
Result<> erase(const Fd& map, const BpfDeviceKey& key) {
    bpf_attr a{};
    a.map_fd = static_cast<__u32>(map.n());
    a.key = address(&key);
    if (bpf(BPF_MAP_DELETE_ELEM, a) < 0 && errno != ENOENT)
        return failed("write", "a BPF map", Layer::cgroup);
    return {};
}

Result<Fd> load_program(const Fd& map, const Fd& denied) {
    const auto program = device_program(map.n(), denied.n());
    bpf_attr a{};
    a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    a.insns = address(program.data());
    a.insn_cnt = static_cast<__u32>(program.size());
    a.license = address(bpf_licence);
    std::string_view(bpf_program_name).copy(a.prog_name, sizeof a.prog_name - 1);
    Fd out(static_cast<int>(bpf(BPF_PROG_LOAD, a)));
    if (!out) return failed("load", "the device program", Layer::cgroup);
    return out;
}

Result<Fd> open_group(const std::string& group) {
    Fd folder(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return failed("open group", group, Layer::cgroup);
    return folder;
}

struct Attached {
    Fd map{};    ///< the device list of our program
    Fd denied{}; ///< what it refused
    int programs = 0;
};

template <class Info> bool info_of(const Fd& object, Info& info) {
    bpf_attr a{};
    a.info.bpf_fd = static_cast<__u32>(object.n());
    a.info.info_len = sizeof info;
    a.info.info = address(&info);
    return bpf(BPF_OBJ_GET_INFO_BY_FD, a) == 0;
}

/// The two maps of a program of ours, by their names: nothing of the group is written down elsewhere, so a
/// daemon that was restarted, or an unplug long after, finds them the same way.
void find_maps(std::uint32_t program_id, Attached& out) {
    bpf_attr by_id{};
    by_id.prog_id = program_id;
    const Fd program(static_cast<int>(bpf(BPF_PROG_GET_FD_BY_ID, by_id)));
    std::array<std::uint32_t, 8> map_ids{};
    bpf_prog_info info{};
    info.nr_map_ids = map_ids.size();
    info.map_ids = address(map_ids.data());
    if (!program || !info_of(program, info) || std::string_view(info.name) != bpf_program_name) return;
    for (std::size_t i = 0; i < std::min<std::size_t>(info.nr_map_ids, map_ids.size()); ++i) {
        bpf_attr by_map{};
        by_map.map_id = map_ids.at(i);
        Fd map(static_cast<int>(bpf(BPF_MAP_GET_FD_BY_ID, by_map)));
        bpf_map_info is{};
        if (!map || !info_of(map, is)) continue;
        const std::string_view name = is.name;
        if (name == bpf_device_map_name && is.key_size == sizeof(BpfDeviceKey)) out.map = std::move(map);
        if (name == bpf_denial_map_name && is.key_size == sizeof(BpfDenialKey) &&
            is.value_size == sizeof(BpfDenial))
            out.denied = std::move(map);
    }
}

Result<Attached> attached(const std::string& group) {
    const auto folder = TRY(open_group(group));
    std::array<std::uint32_t, 64> ids{};
    bpf_attr a{};
    a.query.target_fd = static_cast<__u32>(folder.n());
    a.query.attach_type = BPF_CGROUP_DEVICE;
    a.query.prog_ids = address(ids.data());
    a.query.prog_cnt = ids.size();
    if (bpf(BPF_PROG_QUERY, a) < 0) return failed("ask for the device program of", group, Layer::cgroup);
    Attached out{.programs = static_cast<int>(a.query.prog_cnt)};
    for (std::size_t i = 0; i < a.query.prog_cnt && !out.map; ++i) find_maps(ids.at(i), out);
    return out;
}

Result<> attach(const DeviceAcl& op) {
    const auto map = TRY(make_device_map()), denied = TRY(make_denial_map());
    for (const auto& rule : op.rules) {
        const auto entry = bpf_entry(rule);
        if (auto written = put(map, entry.key, entry.access | get(map, entry.key)); !written) return written;
    }
    const auto program = TRY(load_program(map, denied)); // it keeps the maps, the group keeps it
    const auto folder = TRY(open_group(op.group));
    bpf_attr a{};
    a.target_fd = static_cast<__u32>(folder.n());
    a.attach_bpf_fd = static_cast<__u32>(program.n());
    a.attach_type = BPF_CGROUP_DEVICE;
    // Together with what an enclosing group demands (systemd's DevicePolicy=), never instead of it.
    a.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, a) < 0) return failed("attach the device program to", op.group, Layer::cgroup);
    return {};
}

std::vector<DeviceRule> entries(const Fd& map) {
    std::vector<DeviceRule> out;
    BpfDeviceKey key{};
    bool first = true;
    for (;;) {
        BpfDeviceKey next{};
        bpf_attr a{};
        a.map_fd = static_cast<__u32>(map.n());
        a.key = first ? 0 : address(&key);
        a.next_key = address(&next);
        if (bpf(BPF_MAP_GET_NEXT_KEY, a) < 0) return out;
        first = false;
        key = next;
        if (auto rule = device_rule({key, get(map, key)})) out.push_back(*rule);
    }
}

/// "/dev/loop-control"; empty: the host has no such device.
std::string name_of(const DeviceRule& rule) {
    const auto* const type = rule.type == NodeType::block_device ? "block" : "char";
    return device_name(read_file(fmt::format("/sys/dev/{}/{}:{}/uevent", type, rule.major.value_or(0),
                                             rule.minor.value_or(0)))
                           .value_or(""));
}

std::int64_t nanoseconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

std::vector<DeviceDenial> denials(const Fd& map) {
    std::vector<DeviceDenial> out;
    const auto boot = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME);
    const auto date = [&](std::uint64_t since_boot) {
        return (boot + static_cast<std::int64_t>(since_boot)) / 1000000000;
    };
    BpfDenialKey key{};
    bool first = true;
    // An entry that goes while it is read starts the walk anew: never more steps than the map has places.
    for (std::uint32_t steps = 0; steps < bpf_denial_entries; ++steps) {
        BpfDenialKey next{};
        BpfDenial found{};
        bpf_attr a{};
        a.map_fd = static_cast<__u32>(map.n());
        a.key = first ? 0 : address(&key);
        a.next_key = address(&next);
        if (bpf(BPF_MAP_GET_NEXT_KEY, a) < 0) break;
        first = false;
        key = next;
        bpf_attr ask{};
        ask.map_fd = static_cast<__u32>(map.n());
        ask.key = address(&key);
        ask.value = address(&found);
        if (bpf(BPF_MAP_LOOKUP_ELEM, ask) < 0) continue;
        const auto rule = device_rule(key);
        const auto known = [&](const DeviceDenial& d) { return d.what == rule; };
        if (!rule || std::ranges::any_of(out, known)) continue;
        out.push_back({*rule, name_of(*rule), found.times, date(found.first_ns), date(found.last_ns)});
    }
    std::ranges::sort(out, {}, [](const DeviceDenial& d) { return std::pair(d.first, printed(d.what)); });
    return out;
}

// ---- v1 ----
Result<> v1(const std::string& group, const char* file, const std::vector<DeviceRule>& rules) {
    for (const auto& rule : rules)
        if (auto done = write_file(group + "/" + file, printed(rule), Layer::cgroup); !done) return done;
    return {};
}

std::optional<DeviceRule> parsed(std::string_view line) {
    if (line.size() < 6 || (line[0] != 'b' && line[0] != 'c') || line[1] != ' ') return std::nullopt;
    DeviceRule rule{.type = line[0] == 'b' ? NodeType::block_device : NodeType::char_device};
    const auto colon = line.find(':'), space = line.find(' ', 2);
    if (colon == std::string_view::npos || space == std::string_view::npos || colon > space)
        return std::nullopt;
    const auto number = [](std::string_view text, std::optional<std::uint32_t>& to) {
        std::uint32_t value = 0;
        if (text == "*") return true;
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
        to = value;
        return wrong == std::errc{} && end == text.data() + text.size();
    };
    if (!number(line.substr(2, colon - 2), rule.major) ||
        !number(line.substr(colon + 1, space - colon - 1), rule.minor))
        return std::nullopt;
    const auto access = line.substr(space + 1);
    rule.read = access.find('r') != std::string_view::npos;
    rule.write = access.find('w') != std::string_view::npos;
    rule.make_node = access.find('m') != std::string_view::npos;
    return rule;
}

Result<std::optional<DeviceList>> read_v1(const std::string& group) {
    const auto text = read_file(group + "/devices.list");
    if (!text) return failed("read", group + "/devices.list", Layer::cgroup);
    DeviceList out;
    for (std::size_t at = 0; at < text->size();) {
        const auto end = std::min(text->find('\n', at), text->size());
        const auto line = std::string_view(*text).substr(at, end - at);
        at = end + 1;
        if (line.starts_with("a ")) return std::optional<DeviceList>{};
        if (auto rule = parsed(line)) out.rules.push_back(*rule);
    }
    return std::optional(std::move(out));
}

} // namespace

bool takes_device_programs(const std::string& group) { return attached(group).has_value(); }

Result<std::optional<DeviceList>> read_device_list(DeviceBackend backend, const std::string& group) {
    switch (backend) {
    case DeviceBackend::none: break;
    case DeviceBackend::v1: return read_v1(group);
    case DeviceBackend::bpf: {
        const auto found = TRY(attached(group));
        if (found.programs == 0) break;
        return std::optional(
            DeviceList{found.map ? entries(found.map) : std::vector<DeviceRule>{}, found.programs});
    }
    }
    return std::optional<DeviceList>{};
}

Result<std::optional<std::vector<DeviceDenial>>> read_denials(DeviceBackend backend,
                                                              const std::string& group) {
    if (backend == DeviceBackend::bpf)
        if (const auto found = TRY(attached(group)); found.denied)
            return std::optional(denials(found.denied));
    return std::optional<std::vector<DeviceDenial>>{};
}

Result<> run(const DeviceAcl& op) {
    switch (op.backend) {
    case DeviceBackend::none: return {};
    case DeviceBackend::bpf: return attach(op);
    case DeviceBackend::v1:
        if (auto closed = write_file(op.group + "/devices.deny", "a", Layer::cgroup); !closed) return closed;
        return v1(op.group, "devices.allow", op.rules);
    }
    return {};
}

Result<> run(const AddDevices& op) {
    if (op.backend == DeviceBackend::none) return {};
    if (op.backend == DeviceBackend::v1) return v1(op.group, "devices.allow", op.rules);
    const auto found = TRY(attached(op.group));
    if (!found.map) return fail(Code::operation_failed, tr("group '{0}' has no device list", op.group));
    for (const auto& rule : op.rules) {
        const auto entry = bpf_entry(rule);
        if (auto written = put(found.map, entry.key, entry.access | get(found.map, entry.key)); !written)
            return written;
    }
    return {};
}

Result<> run(const RemoveDevices& op) {
    if (op.backend == DeviceBackend::none || ::access(op.group.c_str(), F_OK) < 0) return {};
    if (op.backend == DeviceBackend::v1) return v1(op.group, "devices.deny", op.rules);
    const auto found = TRY(attached(op.group));
    if (!found.map) return {};
    for (const auto& rule : op.rules) {
        const auto entry = bpf_entry(rule);
        const auto rest = get(found.map, entry.key) & ~entry.access;
        if (auto done = rest != 0 ? put(found.map, entry.key, rest) : erase(found.map, entry.key); !done)
            return done;
    }
    return {};
}

} // namespace cloister
