#include "driver/store/status.hpp"

#include "conf/base/tr.hpp"
#include "conf/text/xml_node.hpp"

#include <charconv>
#include <fmt/core.h>

namespace cloister::store {

namespace {

constexpr const char* our_ns = "urn:cloister:status:1";

template <class T> std::string joined(const std::vector<T>& values) {
    std::string out;
    for (const auto& value : values) {
        if (!out.empty()) out += ' ';
        out += fmt::format("{}", value);
    }
    return out;
}

std::vector<std::string> words(const std::string* text) {
    std::vector<std::string> out;
    if (!text) return out;
    for (std::size_t at = 0; at < text->size();) {
        const auto end = std::min(text->find(' ', at), text->size());
        if (end > at) out.push_back(text->substr(at, end - at));
        at = end + 1;
    }
    return out;
}

template <class N> std::optional<N> number(const std::string* text) {
    if (!text) return std::nullopt;
    N out{};
    const auto [end, bad] = std::from_chars(text->data(), text->data() + text->size(), out);
    if (bad != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return out;
}

template <class N> std::vector<N> numbers(const std::string* text) {
    std::vector<N> out;
    for (const auto& word : words(text))
        if (const auto n = number<N>(&word)) out.push_back(*n);
    return out;
}

std::string hex(const std::vector<std::uint8_t>& bytes) {
    std::string out;
    for (const auto byte : bytes) out += fmt::format("{:02x}", byte);
    return out;
}

std::vector<std::uint8_t> bytes_of(const std::string* hex_text) {
    std::vector<std::uint8_t> out;
    if (!hex_text) return out;
    for (std::size_t at = 0; at + 2 <= hex_text->size(); at += 2) {
        std::uint8_t byte = 0;
        std::from_chars(hex_text->data() + at, hex_text->data() + at + 2, byte, 16);
        out.push_back(byte);
    }
    return out;
}

/// What libvirt's format has no place for.
xml::Node own_part(const StatusFile& file) {
    xml::Node own{.name = "launch", .ns = our_ns, .prefix = "cloister"};
    own.declarations.push_back({.name = "cloister", .value = our_ns});
    own.set("start-time", std::to_string(file.process.start_time));
    own.set("boot-id", file.process.boot_id);
    own.set("start-paused", file.start_paused ? "yes" : "no");
    own.set("starting", file.starting ? "yes" : "no");
    own.set("verified", file.verified ? "yes" : "no");
    own.set("id", std::to_string(file.reserved.id));
    own.set("taps", joined(file.reserved.taps));
    own.set("display-ports", joined(file.reserved.display_ports));
    own.set("websocket-ports", joined(file.reserved.websocket_ports));
    own.set("vsock-cids", joined(file.reserved.vsock_cids));
    own.set("mcs", file.reserved.mcs);
    if (file.reserved.machine_scope) own.set("machine-scope", "yes");
    own.set("random", hex(file.reserved.random));
    for (const auto& [chardev, path] : file.ptys) {
        auto& pty = own.add("pty");
        pty.ns = our_ns;
        pty.prefix = "cloister";
        pty.set("chardev", chardev).set("path", path);
    }
    if (file.settings.file.empty()) return own;
    auto& settings = own.add("settings");
    settings.ns = our_ns;
    settings.prefix = "cloister";
    settings.set("file", file.settings.file);
    for (const auto& saved : file.settings.keys) {
        auto& key = settings.add("key");
        key.ns = our_ns;
        key.prefix = "cloister";
        key.set("name", saved.name).set("value", saved.value).set("line", std::to_string(saved.line));
    }
    return own;
}

const xml::Node* own_part(const xml::Node& root) {
    for (const auto& child : root.children)
        if (child.ns == our_ns && child.name == "launch") return &child;
    return nullptr;
}

void read_own_part(const xml::Node& own, StatusFile& out) {
    out.process.start_time = number<std::uint64_t>(own.attribute("start-time")).value_or(0);
    if (const auto* boot = own.attribute("boot-id")) out.process.boot_id = *boot;
    const auto yes = [&](const char* key) {
        const auto* text = own.attribute(key);
        return text && *text == "yes";
    };
    out.start_paused = yes("start-paused");
    out.starting = yes("starting");
    out.verified = yes("verified");
    out.reserved.id = number<int>(own.attribute("id")).value_or(-1);
    out.reserved.taps = words(own.attribute("taps"));
    out.reserved.display_ports = numbers<std::uint16_t>(own.attribute("display-ports"));
    out.reserved.websocket_ports = numbers<std::uint16_t>(own.attribute("websocket-ports"));
    out.reserved.vsock_cids = numbers<std::uint32_t>(own.attribute("vsock-cids"));
    if (const auto* mcs = own.attribute("mcs")) out.reserved.mcs = *mcs;
    out.reserved.machine_scope = own.attribute("machine-scope") != nullptr;
    out.reserved.random = bytes_of(own.attribute("random"));
    for (const auto& part : own.children) {
        if (const auto* path = part.attribute("file"); path && part.name == "settings")
            out.settings.file = *path;
        if (part.name != "settings") continue;
        for (const auto& key : part.children)
            if (const auto *name = key.attribute("name"), *value = key.attribute("value"); name && value)
                out.settings.keys.push_back({*name, *value, number<int>(key.attribute("line")).value_or(0)});
    }
    for (const auto& pty : own.children)
        if (const auto *chardev = pty.attribute("chardev"), *path = pty.attribute("path"); chardev && path)
            out.ptys[*chardev] = *path;
}

} // namespace

std::string status_path(const std::string& runtime, const std::string& name) {
    return runtime + "/" + name + ".xml";
}

Result<std::string> printed(const StatusFile& file) {
    xml::Node root{.name = "domstatus"};
    root.set("state", std::string(state_text(file.status.state)))
        .set("reason", std::string(reason_text(file.status)))
        .set("pid", std::to_string(file.process.pid));
    for (const auto& taint : file.taints) root.add("taint").set("flag", taint);
    for (const auto& message : file.deprecations) root.add("deprecation").text = message;
    root.add("monitor").set("path", file.monitor).set("type", "unix");
    if (file.mount_namespace) root.add("namespaces").add("mount");
    if (!file.vcpus.empty()) {
        auto& vcpus = root.add("vcpus");
        for (const auto& [index, thread] : file.vcpus)
            vcpus.add("vcpu").set("id", std::to_string(index)).set("pid", std::to_string(thread));
    }
    if (file.fake_reboot) root.add("fakereboot");
    if (!file.device_aliases.empty()) {
        auto& devices = root.add("devices");
        for (const auto& alias : file.device_aliases) devices.add("device").set("alias", alias);
    }
    root.add("libDir").set("path", file.state_dir);
    root.add("channelTargetDir").set("path", file.channel_dir);
    root.children.push_back(own_part(file));
    root.children.push_back(TRY(xml::read(file.domain_xml, "(domain_status)")));
    return xml::print(root);
}

Result<StatusFile> parsed_status(const std::string& text) {
    const auto root = TRY(xml::read(text, "(domain_status)"));
    const auto *domain = root.child("domain"), *monitor = root.child("monitor");
    const auto *state = root.attribute("state"), *reason = root.attribute("reason");
    const auto pid = number<std::int32_t>(root.attribute("pid"));
    const auto* own = own_part(root);
    if (root.name != "domstatus" || !domain || !monitor || !state || !reason || !pid || !own)
        return fail(Code::internal, tr("this status file lacks what taking over the guest needs"));
    StatusFile out{.status = status_of(*state, *reason), .process = {.pid = *pid}, .mount_namespace = false};
    if (const auto* path = monitor->attribute("path")) out.monitor = *path;
    for (const auto& child : root.children) {
        const auto *flag = child.attribute("flag"), *path = child.attribute("path");
        if (child.name == "taint" && flag) out.taints.push_back(*flag);
        if (child.name == "deprecation") out.deprecations.push_back(child.text);
        if (child.name == "namespaces") out.mount_namespace = child.child("mount") != nullptr;
        if (child.name == "fakereboot") out.fake_reboot = true;
        if (child.name == "libDir" && path) out.state_dir = *path;
        if (child.name == "channelTargetDir" && path) out.channel_dir = *path;
        if (child.name == "vcpus")
            for (const auto& vcpu : child.children)
                out.vcpus.emplace_back(number<unsigned>(vcpu.attribute("id")).value_or(0),
                                       number<pid_t>(vcpu.attribute("pid")).value_or(0));
        if (child.name == "devices")
            for (const auto& device : child.children)
                if (const auto* alias = device.attribute("alias")) out.device_aliases.push_back(*alias);
    }
    read_own_part(*own, out);
    out.domain_xml = xml::print(*domain);
    return out;
}

} // namespace cloister::store
