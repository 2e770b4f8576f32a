#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/blockdev.hpp"
#include "driver/plan/parts.hpp"

#include <algorithm>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <iterator>

namespace cloister {

namespace {

using boost::json::object;

std::string name_text(const PlanContext& context) {
    KeyValues text;
    text.add("guest", context.domain.name);
    if (context.conf.set_process_name) text.add("process", "qemu:" + context.domain.name);
    return text.add("debug-threads", "on").text();
}

std::optional<object> compat(const PlanContext& context) {
    const auto behaviour = context.domain.passthrough.deprecation.value_or(context.conf.deprecation_behavior);
    const char* input = behaviour == "omit"     ? "accept"
                        : behaviour == "reject" ? "reject"
                        : behaviour == "crash"  ? "crash"
                                                : nullptr;
    if (!input) return std::nullopt;
    return object{{"deprecated-output", "hide"}, {"deprecated-input", input}};
}

bool is_flash(const Os& os) { return os.loader && os.loader->path && os.loader->type == LoaderType::pflash; }

NodeNames flash_names(unsigned chip) {
    const auto stem = fmt::format("libvirt-pflash{}", chip);
    NodeNames names{.storage = stem + "-storage", .format = stem + "-format"};
    names.auth_secret = names.storage + "-auth-secret0";
    names.key_secret = names.format + "-encryption-secret0";
    names.cookie_secret = names.storage + "-httpcookie-secret0";
    names.tls_creds = fmt::format("obj{}_tls0", names.storage);
    names.slice = stem + "-slice-sto";
    return names;
}

Result<> add_flash(DevicePlan& out, const PlanContext& context) {
    const auto& os = context.domain.os;
    if (!is_flash(os)) return {};
    Source code{};
    code.file = *os.loader->path;
    TRY(add_image(out, SourceType::file, code, "raw", nullptr, flash_names(0), std::nullopt,
                  {.read_only = os.loader->readonly.value_or(YesNo::no) == YesNo::yes}, context,
                  "os loader"));
    // firmware is read by every guest: owner and label stay the administrator's
    out.grants.push_back({.path = *os.loader->path,
                          .kind = Kind::file,
                          .access = os.loader->readonly == YesNo::yes ? Access::read : Access::read_write,
                          .sharing = Sharing::shared,
                          .keep_owner = true,
                          .why = "os loader"});
    if (!os.nvram) return {};
    Source vars{};
    const auto type = os.nvram->type.value_or(SourceType::file);
    if (os.nvram->source)
        vars = *os.nvram->source;
    else
        vars.file = os.nvram->path.value_or("");
    TRY(add_image(out, type, vars, "raw", nullptr, flash_names(1), std::nullopt, {}, context, "os nvram"));
    const auto* path = local_path(type, vars);
    if (!path) return {};
    add_image_grant(out, type, vars, Access::read_write, Sharing::exclusive, context, "os nvram");
    if (os.nvram->template_path)
        out.files.push_back({.path = *path, .copy_of = *os.nvram->template_path, .mode = 0600, .keep = true});
    return {};
}

bool has_nvdimm(const Domain& domain) {
    return std::ranges::any_of(devices_of<MemoryModule>(domain),
                               [](const auto* m) { return m->model == MemoryModel::nvdimm; });
}

bool has_numa(const Domain& domain) {
    return domain.cpu && domain.cpu->numa && !domain.cpu->numa->cells.empty();
}

std::string machine_text(const PlanContext& context) {
    const auto& domain = context.domain;
    const auto features = domain.features.value_or(Features{});
    const auto on_off = [](bool on) { return on ? "on" : "off"; };
    const auto name = domain.os.type.machine.value_or("");
    KeyValues text(name);
    text.add("usb", "off"); // every controller is in the definition
    if (features.vmport) text.add("vmport", on_off(features.vmport->on()));
    if (features.smm) text.add("smm", on_off(features.smm->state.value_or(Switch::on) == Switch::on));
    const bool dump = domain.memory && domain.memory->dump_core ? domain.memory->dump_core == Switch::on
                                                                : context.conf.dump_guest_core;
    text.add("dump-guest-core", on_off(dump));
    if (has_nvdimm(domain)) text.add("nvdimm", "on");
    if (features.ioapic) text.add("kernel_irqchip", features.ioapic->driver == "qemu" ? "split" : "on");
    if (is_flash(domain.os)) {
        text.add("pflash0", "libvirt-pflash0-format");
        if (domain.os.nvram) text.add("pflash1", "libvirt-pflash1-format");
    }
    const auto* machine = context.caps.machine(name);
    if (!has_numa(domain) && machine && machine->default_ram_id)
        text.add("memory-backend", *machine->default_ram_id);
    return text.text();
}

std::string accel_text(const PlanContext& context) {
    const auto& features = context.domain.features;
    if (context.domain.type == VirtType::kvm) {
        KeyValues text("kvm");
        if (features && features->kvm && features->kvm->dirty_ring &&
            features->kvm->dirty_ring->state.value_or(Switch::on) == Switch::on &&
            features->kvm->dirty_ring->size)
            text.add("dirty-ring-size", std::to_string(*features->kvm->dirty_ring->size));
        return text.text();
    }
    KeyValues text("tcg");
    if (features && features->tcg && features->tcg->tb_cache)
        text.add("tb-size", std::to_string(features->tcg->tb_cache->kib >> 10));
    return text.text();
}

} // namespace

void append(DevicePlan& to, DevicePlan more) {
    const auto move = [](auto& a, auto& b) {
        a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    };
    move(to.items, more.items);
    move(to.grants, more.grants);
    move(to.descriptors, more.descriptors);
    move(to.directories, more.directories);
    move(to.files, more.files);
    move(to.helpers, more.helpers);
    move(to.env, more.env);
    move(to.monitor_commands, more.monitor_commands);
}

Result<DevicePlan> head_items(const PlanContext& context) {
    DevicePlan out;
    const auto& domain = context.domain;
    const auto features = domain.features.value_or(Features{});
    out.items.push_back({"name", name_text(context), "name"});
    if (auto words = compat(context)) out.items.push_back({"compat", std::move(*words), "qemu:deprecation"});
    out.items.push_back({"S", {}, "verified before it runs"});
    out.items.push_back({"object",
                         object{{"qom-type", "secret"},
                                {"id", "masterKey0"},
                                {"format", "raw"},
                                {"file", context.paths.master_key}},
                         "master key of secrets"});
    TRY(add_flash(out, context));
    out.items.push_back({"machine", machine_text(context), "os type machine"});
    out.items.push_back({"accel", accel_text(context), "domain type"});
    if (is_flash(domain.os) && domain.os.loader->secure == YesNo::yes)
        out.items.push_back({"global", "driver=cfi.pflash01,property=secure,value=on", "os loader secure"});
    if (features.smm && features.smm->tseg)
        out.items.push_back({"global",
                             fmt::format("mch.extended-tseg-mbytes={}", features.smm->tseg->kib >> 10),
                             "features smm tseg"});
    return out;
}

} // namespace cloister
