#include "driver/caps/decode.hpp"

#include "conf/base/tr.hpp"
#include "driver/caps/schema.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <boost/json/string.hpp>

namespace cloister {

namespace json = boost::json;

namespace {

/// Devices whose properties differ between builds and versions of QEMU that matter to a plan. Never
/// virtio-vga-gl or virtio-gpu-gl-pci: QEMU 7.2 crashes when asked about them without a display.
constexpr std::array device_types{
    "virtio-blk-pci",
    "virtio-net-pci",
    "virtio-scsi-pci",
    "vfio-pci",
    "scsi-hd",
    "scsi-cd",
    "scsi-block",
    "ide-hd",
    "PIIX4_PM",
    "usb-redir",
    "i440FX-pcihost",
    "q35-pcihost",
    "usb-storage",
    "kvm-pit",
    "VGA",
    "vmware-svga",
    "qxl",
    "virtio-gpu-pci",
    "virtio-vga",
    "virtio-gpu-device",
    "ICH9-LPC",
    "ramfb",
    "bochs-display",
    "virtio-balloon-pci",
    "virtio-rng-pci",
    "nec-usb-xhci",
    "qemu-xhci",
    "intel-iommu",
    "mch",
    "nvdimm",
    "pcie-root-port",
    "pci-bridge",
    "usb-host",
    "usb-mtp",
    "vhost-user-fs-device",
    "virtio-mem-pci",
    "virtio-iommu-pci",
    "virtio-9p-pci",
    "virtio-serial-pci",
    "vhost-vsock-pci",
    "isa-serial",
    "pvpanic",
    "pvpanic-pci",
    "e1000e",
    "isa-debugcon",
    "tpm-tis",
    "tpm-crb",
    "hda-duplex",
    "virtio-crypto-pci",
};
/// Objects, and what every machine has.
constexpr std::array object_types{
    "memory-backend-file", "memory-backend-memfd", "memory-backend-ram", "iothread",
    "max-x86_64-cpu",      "none-machine",         "generic-pc-machine"};

Exchange ask(std::string command, json::object arguments = {}) {
    return {std::move(command), std::move(arguments), {}};
}

Exchange expand(std::string_view model) {
    return ask("query-cpu-model-expansion", {{"type", "static"}, {"model", json::object{{"name", model}}}});
}

std::string text(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    const auto* string = found ? found->if_string() : nullptr;
    return string ? std::string(*string) : std::string();
}
std::optional<std::string> maybe(const json::object& in, std::string_view key) {
    auto found = text(in, key);
    return found.empty() ? std::nullopt : std::optional(std::move(found));
}
bool flag(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    return found && found->is_bool() && found->get_bool();
}
std::uint32_t number(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    return found && found->is_int64() ? static_cast<std::uint32_t>(found->get_int64()) : 0;
}

const Exchange* first(const Conversation& in, std::string_view command) {
    const auto found =
        std::ranges::find_if(in, [&](const Exchange& e) { return e.command == command && e.returned; });
    return found == in.end() ? nullptr : &*found;
}

/// The objects of the answer to `command`; empty when there is none.
std::vector<const json::object*> objects(const json::value* answer) {
    std::vector<const json::object*> out;
    if (answer && answer->is_array())
        for (const auto& one : answer->get_array())
            if (one.is_object()) out.push_back(&one.get_object());
    return out;
}
std::vector<const json::object*> objects(const Conversation& in, std::string_view command) {
    const auto* found = first(in, command);
    return objects(found ? &*found->returned : nullptr);
}

using Names = std::set<std::string, std::less<>>;

Names named(const std::vector<const json::object*>& objects, std::string_view key) {
    Names out;
    for (const auto* one : objects)
        if (auto name = text(*one, key); !name.empty()) out.insert(std::move(name));
    return out;
}

Names texts(const Conversation& in, std::string_view command) {
    Names out;
    if (const auto* found = first(in, command); found && found->returned->is_array())
        for (const auto& one : found->returned->get_array())
            if (one.is_string()) out.emplace(one.get_string());
    return out;
}

std::vector<QemuMachine> machines(const Conversation& in) {
    std::vector<QemuMachine> out;
    for (const auto* one : objects(in, "query-machines"))
        out.push_back({.name = text(*one, "name"),
                       .alias = maybe(*one, "alias"),
                       .max_cpus = number(*one, "cpu-max"),
                       .hotpluggable_cpus = flag(*one, "hotpluggable-cpus"),
                       .numa_mem = flag(*one, "numa-mem-supported"),
                       .deprecated = flag(*one, "deprecated"),
                       .is_default = flag(*one, "is-default"),
                       .default_cpu_type = maybe(*one, "default-cpu-type"),
                       .default_ram_id = maybe(*one, "default-ram-id")});
    return out;
}

std::vector<QemuCpu> cpus(const Conversation& in) {
    std::vector<QemuCpu> out;
    for (const auto* one : objects(in, "query-cpu-definitions")) {
        QemuCpu cpu{.name = text(*one, "name"),
                    .type = text(*one, "typename"),
                    .usable_known = one->contains("unavailable-features"),
                    .deprecated = flag(*one, "deprecated"),
                    .migration_safe = flag(*one, "migration-safe"),
                    .is_static = flag(*one, "static")};
        if (const auto* lacks = one->if_contains("unavailable-features"); lacks && lacks->is_array())
            for (const auto& name : lacks->get_array())
                if (name.is_string()) cpu.unavailable.emplace_back(name.get_string());
        cpu.alias_of = text(*one, "alias-of");
        out.push_back(std::move(cpu));
    }
    return out;
}

std::string value_text(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

/// The properties in the answer to query-cpu-model-expansion.
std::map<std::string, std::string> properties_of(const json::value& answer) {
    std::map<std::string, std::string> out;
    const auto* body = answer.if_object();
    const auto* model = body ? body->if_contains("model") : nullptr;
    const auto* props = model && model->is_object() ? model->get_object().if_contains("props") : nullptr;
    if (props && props->is_object())
        for (const auto& [name, value] : props->get_object())
            out.emplace(std::string(name), value_text(value));
    return out;
}

/// The first expansion of `model` as it is, without properties of its own.
std::optional<CpuExpansion> expansion(const Conversation& in, std::string_view model) {
    for (const auto& one : in) {
        if (one.command != "query-cpu-model-expansion" || !one.returned) continue;
        const auto* asked = one.arguments.if_contains("model");
        if (!asked || !asked->is_object() || asked->get_object().contains("props") ||
            text(asked->get_object(), "name") != model)
            continue;
        auto properties = properties_of(*one.returned);
        if (!properties.empty()) return CpuExpansion{std::string(model), std::move(properties)};
    }
    return std::nullopt;
}

void read_properties(const Conversation& in, QemuCaps& caps) {
    for (const auto& one : in)
        if ((one.command == "device-list-properties" || one.command == "qom-list-properties") && one.returned)
            caps.properties[text(one.arguments, "typename")] = named(objects(&*one.returned), "name");
}

void read_options(const Conversation& in, QemuCaps& caps) {
    for (const auto* one : objects(in, "query-command-line-options"))
        if (auto name = text(*one, "option"); !name.empty())
            caps.options[std::move(name)] = named(objects(one->if_contains("parameters")), "name");
}

/// Without what the model lacks: that is most of it, and says nothing.
CpuExpansion has(CpuExpansion whole) {
    std::erase_if(whole.properties, [](const auto& one) { return one.second == "false"; });
    return whole;
}

/// The "hv-" properties of the one expansion that asked for them.
Names hyperv(const Conversation& in) {
    Names out;
    for (const auto& one : in) {
        if (one.command != "query-cpu-model-expansion" || !one.returned) continue;
        const auto* asked = one.arguments.if_contains("model");
        const auto* wish = asked && asked->is_object() ? asked->get_object().if_contains("props") : nullptr;
        if (!wish || !wish->is_object() || !wish->get_object().contains("hv-passthrough")) continue;
        for (const auto& [name, value] : properties_of(*one.returned))
            if (name.starts_with("hv-") && value == "true") out.insert(name);
    }
    return out;
}

/// Everything that depends on the accelerator.
void read_cpus(const Conversation& in, QemuCaps& caps, bool kvm) {
    (kvm ? caps.cpus_kvm : caps.cpus_tcg) = cpus(in);
    (kvm ? caps.host_kvm : caps.host_tcg) = expansion(in, kvm ? "host" : "max");
    auto& models = kvm ? caps.models_kvm : caps.models_tcg;
    for (const auto& cpu : kvm ? caps.cpus_kvm : caps.cpus_tcg)
        if (auto expanded = expansion(in, cpu.name); expanded && cpu.name != "host" && cpu.name != "max")
            models.emplace(cpu.name, has(*std::move(expanded)));
}

bool with_kvm(const Conversation& in) {
    const auto* kvm = first(in, "query-kvm");
    return kvm && kvm->returned->is_object() && flag(kvm->returned->get_object(), "enabled");
}

std::unexpected<Error> without(std::string_view command) {
    return fail(Code::internal, tr("QEMU did not answer '{0}' in the documented form", command));
}

} // namespace

std::vector<Exchange> questions(bool whole) {
    if (!whole) return {ask("query-cpu-definitions"), expand("max")};
    std::vector<Exchange> out;
    for (const auto* plain :
         {"query-version", "query-target", "query-kvm", "query-commands", "query-machines",
          "query-cpu-definitions", "query-tpm-models", "query-tpm-types", "query-migrate-capabilities",
          "query-command-line-options", "query-qmp-schema", "qom-list-types"})
        out.push_back(ask(plain));
    for (const auto* type : device_types) out.push_back(ask("device-list-properties", {{"typename", type}}));
    for (const auto* type : object_types) out.push_back(ask("qom-list-properties", {{"typename", type}}));
    for (const auto* model : {"host", "max"}) out.push_back(expand(model));
    // Which of Hyper-V's enlightenments this KVM has; refused without KVM.
    out.push_back(
        ask("query-cpu-model-expansion",
            {{"type", "full"},
             {"model", {{"name", "host"}, {"props", {{"migratable", false}, {"hv-passthrough", true}}}}}}));
    return out;
}

std::vector<Exchange> model_questions(const Conversation& so_far) {
    std::vector<Exchange> out;
    for (const auto& cpu : cpus(so_far))
        if (!cpu.alias_of.empty()) out.push_back(expand(cpu.name));
    return out;
}

Result<QemuCaps> decode(const Conversation& in, const Conversation& tcg_only, std::string emulator) {
    QemuCaps caps{.emulator = std::move(emulator)};
    const auto* version = first(in, "query-version");
    const auto* body = version ? version->returned->if_object() : nullptr;
    const auto* qemu = body ? body->if_contains("qemu") : nullptr;
    if (!qemu || !qemu->is_object()) return without("query-version");
    const auto& numbers = qemu->get_object();
    caps.version =
        number(numbers, "major") * 1'000'000 + number(numbers, "minor") * 1000 + number(numbers, "micro");
    caps.package = text(*body, "package");

    const auto* target = first(in, "query-target");
    if (!target || !target->returned->is_object()) return without("query-target");
    caps.arch = text(target->returned->get_object(), "arch");

    caps.machines = machines(in);
    if (caps.machines.empty()) return without("query-machines");
    caps.types = named(objects(in, "qom-list-types"), "name");
    if (caps.types.empty()) return without("qom-list-types");

    caps.commands = named(objects(in, "query-commands"), "name");
    if (const auto* reply = first(in, "query-qmp-schema"); reply && reply->returned->is_array()) {
        const Schema schema(reply->returned->get_array());
        for (const auto pattern : schema_paths)
            for (auto& path : schema.matches(pattern)) caps.schema.insert(std::move(path));
        caps.events = schema.events();
    }
    read_properties(in, caps);
    read_options(in, caps);
    caps.tpm_models = texts(in, "query-tpm-models");
    caps.tpm_types = texts(in, "query-tpm-types");
    caps.migration = named(objects(in, "query-migrate-capabilities"), "capability");
    caps.kvm = with_kvm(in);
    read_cpus(in, caps, caps.kvm);
    if (caps.kvm) caps.hyperv = hyperv(in);
    if (caps.kvm && !tcg_only.empty()) read_cpus(tcg_only, caps, false);
    return caps;
}

Result<QemuCaps> decode_recorded(std::string_view replies_text, std::string_view arch) {
    std::vector<Conversation> runs;
    std::optional<Exchange> open;
    for (std::size_t at = 0;;) {
        at = replies_text.find_first_not_of(" \t\r\n", at);
        if (at == std::string_view::npos) break;
        boost::system::error_code error;
        json::stream_parser parser;
        at += parser.write_some(replies_text.data() + at, replies_text.size() - at, error);
        if (error || !parser.done())
            return fail(Code::internal, tr("the recorded conversation is not a list of JSON objects"));
        auto value = parser.release();
        auto* object = value.if_object();
        if (!object)
            return fail(Code::internal, tr("the recorded conversation is not a list of JSON objects"));
        if (object->contains("execute")) {
            open = ask(text(*object, "execute"));
            if (auto* arguments = object->if_contains("arguments"); arguments && arguments->is_object())
                open->arguments = std::move(arguments->get_object());
            if (runs.empty() || open->command == "qmp_capabilities") runs.emplace_back();
        } else if (open) {
            if (auto* returned = object->if_contains("return")) open->returned = std::move(*returned);
            runs.back().push_back(*std::exchange(open, std::nullopt));
        }
    }
    if (runs.empty()) return without("query-version");
    auto caps = TRY(decode(runs[0], runs.size() > 1 ? runs[1] : Conversation{}, {}));
    if (!arch.empty()) caps.arch = arch;
    caps.emulator = "/usr/bin/qemu-system-" + caps.arch;
    return caps;
}

} // namespace cloister
