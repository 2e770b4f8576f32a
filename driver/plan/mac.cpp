#include "driver/plan/mac.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/provenance.hpp"
#include "security/selinux.hpp"

#include <fmt/format.h>

namespace cloister {
namespace {

bool in_force(std::string_view model, const HostFacts& facts) {
    return (model == "selinux" && facts.selinux) || (model == "apparmor" && facts.apparmor);
}

SecLabelType type_of(const SecLabel* own, const Domain& domain, const QemuConf& conf) {
    if (own != nullptr) return own->type.value_or(SecLabelType::dynamic);
    const bool unasked = !conf.security_default_confined || modelless_none(domain) != nullptr;
    return unasked ? SecLabelType::none : SecLabelType::dynamic;
}

Result<SelinuxLabels> selinux_of(const SecLabel* own, SecLabelType type, const Domain& domain,
                                 const HostFacts& facts, const Reserved& reserved) {
    const auto& policy = facts.selinux_policy;
    if (policy.process.empty() || policy.image.empty() || policy.content.empty())
        return fail(Code::config_unsupported,
                    tr("the SELinux policy of this host names no contexts for guests "
                       "(virtual_domain_context, virtual_image_context)"));
    SelinuxWish wish;
    if (type == SecLabelType::static_) wish.type = SelinuxWish::Type::fixed;
    if (own != nullptr) {
        wish.label = own->label.value_or("");
        wish.base = own->baselabel.value_or("");
    }
    const auto daemon = selinux_context(policy.daemon);
    const auto range = mcs_range(daemon ? daemon->range : std::string());
    return selinux_labels(policy, wish, range ? range->sensitivity : "s0", reserved.mcs,
                          domain.type == VirtType::qemu);
}

} // namespace

const SecLabel* label_of(const Domain& domain, std::string_view model) {
    for (const auto& label : domain.seclabels)
        if (label.model == model) return &label;
    return nullptr;
}

const SecLabel* modelless_none(const Domain& domain) {
    for (const auto& label : domain.seclabels)
        if (label.type == SecLabelType::none && (!label.model || label.model == "none")) return &label;
    return nullptr;
}

std::string_view mac_model(const QemuConf& conf, const HostFacts& facts) {
    if (!conf.security_driver) {
        if (facts.selinux) return "selinux";
        return facts.apparmor ? "apparmor" : "none";
    }
    for (const auto& driver : *conf.security_driver)
        if (in_force(driver, facts)) return driver == "selinux" ? "selinux" : "apparmor";
    return "none";
}

Result<MacLabels> mac_labels(const Domain& domain, const QemuConf& conf, const HostFacts& facts,
                             const Reserved& reserved) {
    MacLabels out{.model = mac_model(conf, facts)};
    if (out.model == "none") return out;
    const auto* own = label_of(domain, out.model);
    const auto type = type_of(own, domain, conf);
    if (type == SecLabelType::none) {
        if (conf.security_require_confined)
            return fail(Code::config_unsupported, tr("Unconfined guests are not allowed on this host"));
        return out;
    }
    out.why = own != nullptr ? fmt::format("seclabel {}", out.model) : "the host's security module";
    out.relabel = type == SecLabelType::dynamic || own->relabel == YesNo::yes;
    if (out.model == "apparmor") {
        out.make_profile = type == SecLabelType::dynamic;
        out.process =
            out.make_profile ? "cloister-" + printed(domain.uuid.value_or(Uuid{})) : own->label.value_or("");
        return out;
    }
    if (type == SecLabelType::dynamic && own != nullptr && own->label && own->imagelabel) {
        out.process = *own->label;
        out.image = *own->imagelabel;
        return out;
    }
    auto labels = TRY(selinux_of(own, type, domain, facts, reserved));
    out.process = std::move(labels.process);
    out.image = std::move(labels.image);
    return out;
}

} // namespace cloister
