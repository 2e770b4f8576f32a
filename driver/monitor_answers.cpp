#include "driver/monitor_answers.hpp"

#include "conf/domain/devices.hpp"

#include <boost/json/value.hpp>
#include <charconv>

namespace cloister {

namespace json = boost::json;

std::map<std::string, std::string> ptys_in(const json::value& chardevs) {
    std::map<std::string, std::string> out;
    if (!chardevs.is_array()) return out;
    for (const auto& chardev : chardevs.get_array()) {
        const auto* members = chardev.if_object();
        if (!members) continue;
        const auto *label = members->if_contains("label"), *file = members->if_contains("filename");
        if (!label || !file || !label->is_string() || !file->is_string()) continue;
        const std::string name(file->get_string());
        if (name.starts_with("pty:")) out[std::string(label->get_string())] = name.substr(4);
    }
    return out;
}

std::vector<VcpuThread> vcpus_in(const json::value& cpus) {
    std::vector<VcpuThread> out;
    if (!cpus.is_array()) return out;
    for (const auto& cpu : cpus.get_array()) {
        const auto* members = cpu.if_object();
        if (!members) continue;
        VcpuThread thread;
        if (const auto* index = members->if_contains("cpu-index"); index && index->is_int64())
            thread.index = static_cast<unsigned>(index->get_int64());
        if (const auto* tid = members->if_contains("thread-id"); tid && tid->is_int64())
            thread.tid = static_cast<pid_t>(tid->get_int64());
        if (const auto* path = members->if_contains("qom-path"); path && path->is_string())
            thread.qom_path = std::string(path->get_string());
        out.push_back(std::move(thread));
    }
    return out;
}

std::map<std::uint32_t, pid_t> iothreads_in(const json::value& iothreads) {
    constexpr std::string_view prefix = "iothread";
    std::map<std::uint32_t, pid_t> out;
    const auto* list = iothreads.if_array();
    if (!list) return out;
    for (const auto& item : *list) {
        const auto* members = item.if_object();
        const auto* name = members ? members->if_contains("id") : nullptr;
        const auto* thread = members ? members->if_contains("thread-id") : nullptr;
        if (!name || !name->is_string() || !thread || !thread->is_int64()) continue;
        const std::string_view id = name->get_string();
        std::uint32_t number = 0;
        if (!id.starts_with(prefix)) continue; // of a passthrough argument
        const auto [end, error] = std::from_chars(id.data() + prefix.size(), id.data() + id.size(), number);
        if (error == std::errc{} && end == id.data() + id.size())
            out[number] = static_cast<pid_t>(thread->get_int64());
    }
    return out;
}

Domain with_ptys(Domain domain, const std::map<std::string, std::string>& ptys) {
    const auto set = [&](Chardev& chardev, const DeviceInfo& info) -> const std::string* {
        auto* pty = std::get_if<PtyChardev>(&chardev.how);
        if (!pty || !info.alias) return nullptr;
        const auto found = ptys.find("char" + info.alias->name);
        if (found == ptys.end()) return nullptr;
        if (!pty->source) pty->source.emplace();
        pty->source->path = found->second;
        return &found->second;
    };
    const std::string* first_serial = nullptr;
    for_each<Serial>(domain, [&](Serial& serial) {
        const auto* path = set(serial.chardev, serial.info);
        if (!first_serial) first_serial = path;
    });
    for_each<Parallel>(domain, [&](Parallel& parallel) { set(parallel.chardev, parallel.info); });
    for_each<Channel>(domain, [&](Channel& channel) {
        set(channel.chardev, channel.info);
        auto* port = channel.target ? std::get_if<VirtioChannel>(&channel.target->kind) : nullptr;
        if (port && !port->state) port->state = ChannelState::disconnected;
    });
    bool first_console = true;
    for_each<Console>(domain, [&](Console& console) {
        const auto* path = set(console.chardev, console.info);
        auto* pty = std::get_if<PtyChardev>(&console.chardev.how);
        if (!path && first_console && pty &&
            first_serial) { // the first console is the first serial port's other name
            if (!pty->source) pty->source.emplace();
            pty->source->path = *first_serial;
            path = first_serial;
        }
        first_console = false;
        if (path) console.tty = *path;
    });
    return domain;
}

Domain with_cids(Domain domain, const std::vector<std::uint32_t>& cids) {
    auto next = cids.begin();
    for_each<Vsock>(domain, [&](Vsock& vsock) {
        if (next != cids.end() && vsock.cid && vsock.cid->automatic == YesNo::yes)
            vsock.cid->address = *next++;
    });
    return domain;
}

std::optional<std::int64_t> balloon_target(const Domain& domain) {
    if (!domain.memory || !domain.current_memory || domain.current_memory->kib >= domain.memory->kib)
        return std::nullopt;
    for (const auto* balloon : devices_of<Memballoon>(domain))
        if (balloon->model != BalloonModel::none)
            return static_cast<std::int64_t>(domain.current_memory->kib * 1024);
    return std::nullopt;
}

std::optional<std::uint64_t> balloon_size(const json::value& answer) {
    const auto* members = answer.if_object();
    const auto* actual = members ? members->if_contains("actual") : nullptr;
    if (!actual || !actual->is_int64()) return std::nullopt;
    return static_cast<std::uint64_t>(actual->get_int64());
}

} // namespace cloister
