#include "driver/plan/confinement.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/settings/provenance.hpp"
#include "driver/plan/mac.hpp"
#include "driver/plan/relaxations.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace cloister {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    return xml::Scalar<std::uint32_t>::read(text);
}

bool no_security(const QemuConf& conf) { return conf.security_driver && conf.security_driver->empty(); }

bool wants_mount_namespace(const PlanContext& context) {
    const auto& wanted = context.conf.namespaces;
    return !wanted || std::ranges::find(*wanted, "mount") != wanted->end();
}

Result<> check_mac(const PlanContext& context) {
    const auto& domain = context.domain;
    const auto unconfined = [] {
        return fail(Code::config_unsupported, tr("Unconfined guests are not allowed on this host"));
    };
    for (const auto& label : domain.seclabels) {
        const auto model = label.model.value_or("");
        if (label.type == SecLabelType::none && model == "dac" && context.conf.security_require_confined)
            return unconfined();
        if (model == "dac" || model == "none" || model.empty()) continue;
        if (model != mac_model(context.conf, context.facts))
            return fail(Code::config_unsupported, tr("Security driver model '{0}' is not available", model));
        if (label.type == SecLabelType::none && context.conf.security_require_confined) return unconfined();
    }
    if (context.conf.security_require_confined && modelless_none(domain)) return unconfined();
    return {};
}

Result<> add_mac(const PlanContext& context, Identity& who) {
    const auto labels = TRY(mac_labels(context.domain, context.conf, context.facts, context.reserved));
    if (labels.process.empty()) return {};
    who.mac_why = labels.why;
    if (labels.model == "apparmor") {
        who.apparmor_profile = labels.process;
        who.make_apparmor_profile = labels.make_profile;
        return {};
    }
    who.process_context = labels.process;
    who.image_context = labels.image;
    who.shared_context = context.facts.selinux_policy.image;
    who.content_context = context.facts.selinux_policy.content;
    who.relabel_selinux = labels.relabel;
    return {};
}

bool needs_vfio(const Domain& domain) {
    for (const auto* h : devices_of<Hostdev>(domain))
        if (std::holds_alternative<PciHostdev>(h->host) || std::holds_alternative<MdevHostdev>(h->host))
            return true;
    for (const auto* i : devices_of<Interface>(domain))
        if (i->type == InterfaceType::hostdev || i->type == InterfaceType::vdpa) return true;
    for (const auto* d : devices_of<Disk>(domain))
        if (d->type == SourceType::nvme) return true;
    return false;
}
bool needs_rawio(const Domain& domain) {
    for (const auto* d : devices_of<Disk>(domain))
        if (d->rawio == YesNo::yes) return true;
    for (const auto* h : devices_of<Hostdev>(domain))
        if (h->rawio == YesNo::yes) return true;
    return false;
}

Limits limits_of(const PlanContext& context) {
    const auto& domain = context.domain;
    const auto& conf = context.conf;
    Limits limits;
    if (domain.memory_backing && domain.memory_backing->locked)
        limits.memlock =
            domain.memtune && domain.memtune->hard_limit ? domain.memtune->hard_limit->kib << 10 : UINT64_MAX;
    else if (needs_vfio(domain))
        limits.memlock = ((domain.memory ? domain.memory->kib : 0) << 10) + (std::uint64_t{1} << 30);
    if (conf.max_processes) limits.processes = conf.max_processes;
    if (conf.max_files) limits.files = std::uint64_t{conf.max_files} + 1;
    if (conf.max_threads_per_process) limits.threads = conf.max_threads_per_process;
    limits.core = conf.max_core;
    return limits;
}

} // namespace

std::optional<Ids> ids_of(const HostFacts& facts, const std::string& label) {
    if (const auto known = facts.identities.find(label); known != facts.identities.end())
        return known->second;
    const auto colon = label.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto uid = number(std::string_view(label).substr(0, colon));
    const auto gid = number(std::string_view(label).substr(colon + 1));
    if (!uid || !gid) return std::nullopt;
    return Ids{.uid = *uid, .gid = *gid, .groups = {*gid}};
}

std::string machine_name(int id, std::string_view name) {
    std::string out;
    for (const char c : fmt::format("qemu-{}-{}", id, name)) {
        const bool separator = c == '-' || c == '.';
        if (!separator && !std::isalnum(static_cast<unsigned char>(c))) continue;
        if (separator && (out.empty() || out.back() == '-' || out.back() == '.')) continue;
        if (out.size() == 64) break;
        out += c;
    }
    while (!out.empty() && (out.back() == '-' || out.back() == '.')) out.pop_back();
    return out;
}

std::vector<EnvVar> base_environment(const PlanContext& context) {
    std::vector<EnvVar> out{
        {"LC_ALL", "C", "fixed"},
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "fixed"}};
    const auto from_daemon = [&](const char* name) {
        if (const auto found = context.facts.environment.find(name); found != context.facts.environment.end())
            out.push_back({name, found->second, "environment of the daemon"});
    };
    const auto& home = context.paths.state_dir;
    out.push_back({"HOME", home, "folder of the guest"});
    from_daemon("USER");
    from_daemon("LOGNAME");
    out.push_back({"XDG_DATA_HOME", home + "/.local/share", "folder of the guest"});
    out.push_back({"XDG_CACHE_HOME", home + "/.cache", "folder of the guest"});
    out.push_back({"XDG_CONFIG_HOME", home + "/.config", "folder of the guest"});
    return out;
}

Result<Identity> identity_of(const PlanContext& context) {
    const auto& conf = context.conf;
    const auto& facts = context.facts;
    TRY(check_mac(context));
    Identity who;
    if (no_security(conf)) {
        who.set_ids = false;
        who.relabel_dac = false;
        who.why = key_why(conf, "security_driver") + " = []";
        return who;
    }
    const auto configured =
        facts.emulator_ids ? facts.emulator_ids : ids_of(facts, conf.user + ":" + conf.group);
    if (!configured)
        return fail(Code::config_unsupported,
                    tr("the user '{0}' or the group '{1}' of qemu.conf is not known on this host", conf.user,
                       conf.group));
    TRY(add_mac(context, who));
    who.uid = configured->uid;
    who.gid = configured->gid;
    who.groups = configured->groups;
    who.why = key_why(conf, "user");
    who.relabel_dac = conf.dynamic_ownership;
    who.remember_owner = conf.remember_owner;
    who.map_owner = conf.ownership == "idmap";
    const auto* dac = label_of(context.domain, "dac");
    const auto type = dac ? dac->type.value_or(SecLabelType::dynamic) : SecLabelType::dynamic;
    switch (type) {
    case SecLabelType::none:
        who.relabel_dac = false;
        who.why += "; seclabel dac type='none': owners stay";
        break;
    case SecLabelType::dynamic:
        if (dac && dac->relabel == YesNo::no) who.relabel_dac = false;
        break;
    case SecLabelType::static_: {
        const auto label = dac->label.value_or("");
        const auto ids = ids_of(facts, label);
        if (!ids)
            return fail(Code::config_unsupported, tr("the DAC label '{0}' names nobody on this host", label));
        who.uid = ids->uid;
        who.gid = ids->gid;
        who.groups = ids->groups;
        who.relabel_dac = conf.dynamic_ownership && dac->relabel == YesNo::yes;
        who.why = fmt::format("seclabel dac static '{}'", label);
        break;
    }
    }
    if (who.map_owner && who.relabel_dac && !wants_mount_namespace(context))
        return fail(
            Code::config_unsupported,
            tr("ownership = \"idmap\" needs the private mount namespace: {0}", key_why(conf, "namespaces")));
    return who;
}

Confinement confinement_of(const PlanContext& context, const Identity& identity, LaunchPlan& plan) {
    const auto& conf = context.conf;
    const auto& domain = context.domain;
    Confinement out;
    const auto relax = [&](std::string sentence) { out.relaxations.push_back(std::move(sentence)); };
    if (!identity.set_ids) {
        relax(tr("QEMU keeps the identity of the daemon, and no owner is changed: {0}", identity.why));
        plan.warnings.push_back(tr("no security driver is in force: {0}", identity.why));
        plan.taints.emplace_back("high-privileges");
    } else {
        if (identity.uid == 0) {
            relax(tr("QEMU runs as root: {0}", identity.why));
            if (std::ranges::find(plan.taints, "high-privileges") == plan.taints.end())
                plan.taints.emplace_back("high-privileges");
        } else if (identity.gid == 0) {
            const auto* dac = label_of(domain, "dac");
            const bool by_label = dac != nullptr && dac->type == SecLabelType::static_;
            relax(
                tr("QEMU runs in the group of root: {0}", by_label ? identity.why : key_why(conf, "group")));
            plan.taints.emplace_back("high-privileges");
        }
        if (!identity.relabel_dac && conf.dynamic_ownership)
            relax(tr("owners of files are left alone: {0}", "seclabel dac"));
    }
    if (auto host_wide = host_wide_relaxations(conf, context.facts); !host_wide.empty()) {
        for (auto& sentence : host_wide) relax(std::move(sentence));
        plan.taints.emplace_back("relaxed-confinement");
    }
    if (!wants_mount_namespace(context)) out.mount_namespace = false;
    for (const auto& path : conf.cgroup_device_acl)
        out.base_devices.push_back({.path = path,
                                    .kind = Kind::char_device,
                                    .access = Access::read_write,
                                    .sharing = Sharing::shared,
                                    .keep_owner = true,
                                    .optional = true,
                                    .why = key_why(conf, "cgroup_device_acl")});
    if (conf.cgroup_controllers) {
        out.cgroup_controllers = *conf.cgroup_controllers;
        out.use_cgroups = !conf.cgroup_controllers->empty();
        out.device_acl =
            std::ranges::find(*conf.cgroup_controllers, "devices") != conf.cgroup_controllers->end();
    }
    if (!context.facts.privileged) out.use_cgroups = out.mount_namespace = out.device_acl = false;
    out.cgroup_name = machine_name(domain.id.value_or(context.reserved.id), domain.name);
    if (domain.resource && domain.resource->partition) out.cgroup_partition = *domain.resource->partition;
    out.machine_scope = context.reserved.machine_scope && out.use_cgroups;
    if (conf.seccomp_sandbox == 0) out.qemu_seccomp = out.own_seccomp = false;
    if (!conf.clear_emulator_capabilities)
        plan.warnings.push_back(tr("{0} is ignored: capabilities are always dropped",
                                   key_why(conf, "clear_emulator_capabilities")));
    if (needs_rawio(domain)) {
        out.kept_capabilities.emplace_back("sys_rawio");
        relax(tr("QEMU keeps the capability SYS_RAWIO: a disk has rawio='yes'"));
        plan.taints.emplace_back("high-privileges");
    }
    out.limits = limits_of(context);
    return out;
}

} // namespace cloister
