#include "driver/plan/relaxations.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/provenance.hpp"
#include "driver/plan/mac.hpp"

#include <algorithm>

namespace cloister {
namespace {

bool has(const std::vector<std::string>& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
}

/// A security module is there and is not used for a guest that says nothing: by which key.
const char* mac_off_by(const QemuConf& conf, const HostFacts& facts) {
    if (!facts.selinux && !facts.apparmor) return nullptr;
    if (mac_model(conf, facts) == "none") return "security_driver";
    return conf.security_default_confined ? nullptr : "security_default_confined";
}

} // namespace

std::vector<std::string> host_wide_relaxations(const QemuConf& conf, const HostFacts& facts) {
    std::vector<std::string> out;
    if (const auto* key = mac_off_by(conf, facts))
        out.push_back(facts.selinux
                          ? tr("SELinux does not confine a guest whose definition does not ask for it: {0}",
                               key_why(conf, key))
                          : tr("AppArmor does not confine a guest whose definition does not ask for it: {0}",
                               key_why(conf, key)));
    const bool no_owners = conf.security_driver && conf.security_driver->empty();
    if (!conf.dynamic_ownership && !no_owners)
        out.push_back(tr("owners of files are left alone: {0}", key_why(conf, "dynamic_ownership")));
    if (conf.namespaces && !has(*conf.namespaces, "mount"))
        out.push_back(tr("QEMU sees the whole /dev of the host: {0}", key_why(conf, "namespaces")));
    if (conf.cgroup_controllers && !has(*conf.cgroup_controllers, "devices"))
        out.push_back(tr("no device list stands between QEMU and the devices of the host: {0}",
                         key_why(conf, "cgroup_controllers")));
    const auto usual = QemuConf{}.cgroup_device_acl;
    for (const auto& path : conf.cgroup_device_acl)
        if (!has(usual, path))
            out.push_back(tr("every guest may use {0}: {1}", path, key_why(conf, "cgroup_device_acl")));
    if (conf.seccomp_sandbox == 0)
        out.push_back(tr("no syscall is denied to QEMU: {0}", key_why(conf, "seccomp_sandbox")));
    if (conf.relaxed_acs_check && !facts.not_kept_apart.empty())
        out.push_back(tr("PCI devices that reach each other without passing the IOMMU may be assigned: {0}",
                         key_why(conf, "relaxed_acs_check")));
    if (conf.max_core > 0) out.push_back(tr("QEMU may leave core files: {0}", key_why(conf, "max_core")));
    return out;
}

} // namespace cloister
