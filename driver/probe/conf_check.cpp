#include "driver/probe/conf_check.hpp"

#include "conf/base/tr.hpp"
#include "conf/settings/provenance.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/probe/sysfs.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace cloister {
namespace {

constexpr long hugetlbfs_magic = 0x958458f6; // Source: linux/magic.h

/// Who uses certificates, and the key that says where they are.
constexpr std::pair<const char*, std::optional<std::string> QemuConf::*> certificate_folders[]{
    {"vnc", &QemuConf::vnc_tls_x509_cert_dir},         {"spice", &QemuConf::spice_tls_x509_cert_dir},
    {"chardev", &QemuConf::chardev_tls_x509_cert_dir}, {"nbd", &QemuConf::nbd_tls_x509_cert_dir},
    {"vxhs", &QemuConf::vxhs_tls_x509_cert_dir},       {"migrate", &QemuConf::migrate_tls_x509_cert_dir},
    {"backup", &QemuConf::backup_tls_x509_cert_dir}};

bool is_folder(const std::string& path) {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

class Check {
public:
    explicit Check(const QemuConf& conf) : conf_(conf) {}

    std::vector<Error> all() {
        drivers();
        accounts();
        if (conf_.lock_manager != "nop")
            refuse("lock_manager", tr("'{0}' is not available in this version: QEMU's own image locks hold",
                                      conf_.lock_manager));
        if (conf_.namespaces && !conf_.namespaces->empty() && ::geteuid() != 0)
            refuse("namespaces", tr("a daemon without privilege cannot use namespaces"));
        certificates();
        huge_pages();
        return std::move(out_);
    }

private:
    bool set(std::string_view key) const { return conf_.lines.contains(std::string(key)); }
    void refuse(std::string_view key, const std::string& what) {
        out_.push_back(key_error(conf_, key, what));
    }

    void drivers() {
        const bool selinux = file_number("/sys/fs/selinux/enforce").has_value();
        const auto named = [&](std::string_view driver) {
            return conf_.security_driver && std::ranges::count(*conf_.security_driver, driver) > 0;
        };
        if (named("selinux") && !selinux)
            refuse("security_driver", tr("security driver 'selinux' is not enabled on this host"));
        const bool apparmor = apparmor_enabled();
        if (named("apparmor") && !apparmor)
            refuse("security_driver", tr("security driver 'apparmor' is not enabled on this host"));
        const bool unset = !conf_.security_driver.has_value();
        const bool mandatory =
            (selinux && (unset || named("selinux"))) || (apparmor && (unset || named("apparmor")));
        if (conf_.security_require_confined && !mandatory)
            refuse("security_require_confined",
                   tr("no security driver of this host can confine a guest: SELinux and AppArmor are off or "
                      "not asked for"));
    }

    /// A default that is missing is told to the guest that is to run as it: a host may use another by label.
    void accounts() {
        if (conf_.security_driver && conf_.security_driver->empty()) return;
        if (set("user") && !ids_of(conf_.user, "+0"))
            refuse("user", tr("there is no user '{0}' on this host", conf_.user));
        if (set("group") && !ids_of("+0", conf_.group))
            refuse("group", tr("there is no group '{0}' on this host", conf_.group));
        if (set("swtpm_user") && !ids_of(conf_.swtpm_user, "+0"))
            refuse("swtpm_user", tr("there is no user '{0}' on this host", conf_.swtpm_user));
        if (set("swtpm_group") && !ids_of("+0", conf_.swtpm_group))
            refuse("swtpm_group", tr("there is no group '{0}' on this host", conf_.swtpm_group));
    }

    void certificates() {
        const auto named = [&](const std::string& key, const std::optional<std::string>& folder) {
            if (folder && !is_folder(*folder)) refuse(key, tr("there is no folder '{0}'", *folder));
        };
        named("default_tls_x509_cert_dir", conf_.default_tls_x509_cert_dir);
        for (const auto& [user, folder] : certificate_folders)
            named(std::string(user) + "_tls_x509_cert_dir", conf_.*folder);
    }

    void huge_pages() {
        if (!conf_.hugetlbfs_mount) return;
        for (const auto& mount : *conf_.hugetlbfs_mount) {
            struct statfs found{};
            if (mount.empty() || (::statfs(mount.c_str(), &found) == 0 && found.f_type == hugetlbfs_magic))
                continue;
            refuse("hugetlbfs_mount", tr("no hugetlbfs is mounted on '{0}'", mount));
        }
    }

    const QemuConf& conf_;
    std::vector<Error> out_{};
};

} // namespace

void find_certificates(QemuConf& conf) {
    for (const auto& [user, folder] : certificate_folders)
        if (const auto usual = std::string("/etc/pki/libvirt-") + user; !(conf.*folder) && is_folder(usual))
            conf.*folder = usual;
}

std::vector<Error> unusable_here(const QemuConf& conf) { return Check(conf).all(); }

} // namespace cloister
