#include "driver/plan/hotplug_steps.hpp"

#include "conf/base/tr.hpp"

#include <boost/json/array.hpp>
#include <charconv>
#include <map>

namespace cloister {

namespace {

using boost::json::object;
using boost::json::value;

constexpr char marker = '\x01'; // of fd_symbol()

/// The symbols in a text, in order.
void find_symbols(std::string_view text, std::vector<std::string>& out) {
    for (auto at = text.find(marker); at != std::string_view::npos;) {
        const auto end = text.find(marker, at + 1);
        if (end == std::string_view::npos) return;
        out.emplace_back(text.substr(at + 1, end - at - 1));
        at = text.find(marker, end + 1);
    }
}

/// Symbols become what QEMU knows the descriptors by: their names, or the number of their set.
std::string named(std::string_view text, std::vector<std::string>& used) {
    static constexpr std::string_view set = "/dev/fdset/";
    if (text.starts_with(set)) {
        std::vector<std::string> symbols;
        find_symbols(text, symbols);
        if (!symbols.empty()) return std::string(set) + std::to_string(fdset_number(symbols.front()));
    }
    find_symbols(text, used);
    std::string out;
    for (const char c : text)
        if (c != marker) out += c;
    return out;
}

object named(const object& in, std::vector<std::string>& used) {
    object out = in;
    for (auto& entry : out) {
        if (entry.value().is_string())
            entry.value() = named(std::string_view(entry.value().as_string()), used);
        else if (entry.value().is_object())
            entry.value() = named(entry.value().as_object(), used);
    }
    return out;
}

/// getfd for each: QEMU keeps it under its name until something takes it.
void add_getfd(std::vector<HotStep>& steps, const std::vector<std::string>& symbols) {
    for (const auto& symbol : symbols)
        steps.push_back({.run = {"getfd", {{"fdname", symbol}}, {symbol}},
                         .undo = MonitorStep{"closefd", {{"fdname", symbol}}}});
}

std::map<std::string, std::string> pairs(std::string_view text, std::string& head) {
    std::map<std::string, std::string> out;
    std::string word;
    bool first = true;
    const auto flush = [&] {
        const auto equals = word.find('=');
        if (first)
            head = word;
        else if (equals == std::string::npos)
            out[word] = "on";
        else
            out[word.substr(0, equals)] = word.substr(equals + 1);
        first = false;
        word.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',') {
            word += text[i++]; // a doubled comma is one of the value
        } else if (text[i] == ',') {
            flush();
        } else {
            word += text[i];
        }
    }
    flush();
    return out;
}

struct Backend {
    std::string type{};
    std::map<std::string, std::string> keys{};

    const std::string* get(const char* key) const {
        const auto found = keys.find(key);
        return found == keys.end() ? nullptr : &found->second;
    }
    void flag(object& out, const char* key) const {
        if (const auto* text = get(key)) out[key] = *text == "on";
    }
    void number(object& out, const char* key) const {
        if (const auto* text = get(key)) {
            std::int64_t v = 0;
            std::from_chars(text->data(), text->data() + text->size(), v);
            out[key] = v;
        }
    }
    void word(object& out, const char* key) const {
        if (const auto* text = get(key)) out[key] = *text;
    }
};

object inet(const std::string& host, const std::string& port) {
    return {{"type", "inet"}, {"data", object{{"host", host}, {"port", port}}}};
}

object socket_data(const Backend& b) {
    object data;
    if (const auto* fd = b.get("fd"))
        data["addr"] = object{{"type", "fd"}, {"data", object{{"str", *fd}}}};
    else if (const auto* path = b.get("path"))
        data["addr"] = object{{"type", "unix"}, {"data", object{{"path", *path}}}};
    else
        data["addr"] = inet(b.get("host") ? *b.get("host") : "", b.get("port") ? *b.get("port") : "");
    // On the command line a socket is a client unless told otherwise; chardev-add means a server.
    const auto* server = b.get("server");
    data["server"] = server && *server == "on";
    b.flag(data, "wait");
    b.flag(data, "telnet");
    b.number(data, "reconnect");
    b.word(data, "tls-creds");
    return data;
}

} // namespace

std::uint32_t fdset_number(std::string_view symbol) {
    std::uint32_t hash = 2166136261u; // FNV-1a
    for (const char c : symbol) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return (hash & 0x3fffffffu) | 0x40000000u; // far above the numbers of descriptors that a start used
}

Result<boost::json::object> chardev_backend(std::string_view text) {
    Backend b;
    b.keys = pairs(text, b.type);
    object data;
    if (b.type == "socket") {
        data = socket_data(b);
    } else if (b.type == "file") {
        if (const auto* path = b.get("path")) data["out"] = *path;
        b.flag(data, "append");
    } else if (b.type == "pipe" || b.type == "serial" || b.type == "parallel") {
        if (const auto* path = b.get("path")) data["device"] = *path;
    } else if (b.type == "udp") {
        data["remote"] = inet(b.get("host") ? *b.get("host") : "", b.get("port") ? *b.get("port") : "");
        if (b.get("localaddr") || b.get("localport"))
            data["local"] = inet(b.get("localaddr") ? *b.get("localaddr") : "",
                                 b.get("localport") ? *b.get("localport") : "");
    } else if (b.type == "spicevmc") {
        if (const auto* name = b.get("name")) data["type"] = *name;
    } else if (b.type == "spiceport") {
        if (const auto* name = b.get("name")) data["fqdn"] = *name;
    } else if (b.type == "qemu-vdagent") {
        b.flag(data, "mouse");
        b.flag(data, "clipboard");
    } else if (b.type != "pty" && b.type != "null" && b.type != "vc" && b.type != "stdio") {
        return fail(Code::operation_unsupported,
                    tr("Hotplug unsupported for char device type '{0}'", b.type));
    }
    b.word(data, "logfile");
    b.flag(data, "logappend");
    return object{{"type", b.type}, {"data", std::move(data)}};
}

Result<std::vector<HotStep>> hot_steps(const DevicePlan& plan) {
    std::vector<HotStep> steps;
    for (const auto& item : plan.items) {
        std::vector<std::string> symbols;
        if (const auto* json = std::get_if<object>(&item.value)) {
            auto arguments = named(*json, symbols);
            add_getfd(steps, symbols);
            const auto id = [&](const char* key) {
                return arguments.contains(key) ? arguments.at(key) : value{};
            };
            const auto push = [&](const char* add, const char* del, const char* key) {
                MonitorStep undo{del, {{key, id(key)}}};
                steps.push_back({.run = {add, std::move(arguments)}, .undo = std::move(undo)});
            };
            if (item.option == "object")
                push("object-add", "object-del", "id");
            else if (item.option == "blockdev")
                push("blockdev-add", "blockdev-del", "node-name");
            else if (item.option == "netdev")
                push("netdev_add", "netdev_del", "id");
            else if (item.option == "device")
                push("device_add", "device_del", "id");
            else
                return fail(Code::operation_unsupported,
                            tr("QEMU takes '-{0}' only at its start", item.option));
            continue;
        }
        const auto* text = std::get_if<std::string>(&item.value);
        if (text && item.option == "chardev") {
            const auto clean = named(*text, symbols);
            add_getfd(steps, symbols);
            std::string head;
            const auto keys = pairs(clean, head);
            const auto id = keys.contains("id") ? keys.at("id") : "";
            steps.push_back({.run = {"chardev-add", {{"id", id}, {"backend", TRY(chardev_backend(clean))}}},
                             .undo = MonitorStep{"chardev-remove", {{"id", id}}}});
        } else if (text && item.option == "add-fd") {
            std::string head;
            find_symbols(*text, symbols);
            if (symbols.empty()) continue;
            const auto keys = pairs("add-fd," + *text, head);
            const auto set = fdset_number(symbols.front());
            steps.push_back(
                {.run = {"add-fd",
                         {{"fdset-id", set}, {"opaque", keys.contains("opaque") ? keys.at("opaque") : ""}},
                         {symbols.front()}},
                 .undo = MonitorStep{"remove-fd", {{"fdset-id", set}}}});
        } else if (text && item.option == "watchdog-action") {
            steps.push_back({.run = {"watchdog-set-action", {{"action", *text}}}});
        } else {
            return fail(Code::operation_unsupported, tr("QEMU takes '-{0}' only at its start", item.option));
        }
    }
    for (const auto& [command, arguments] : plan.monitor_commands)
        steps.push_back({.run = {command, arguments}});
    return steps;
}

} // namespace cloister
