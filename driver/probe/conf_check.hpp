/// What only this host can tell of qemu.conf: accounts, security drivers, certificate folders, huge pages.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <vector>

namespace cloister {

/// What of a well-formed qemu.conf cannot be had on this host: one error for each, with file, line and key.
/// Only what the file sets is looked at, except that confinement is required of a host that has none.
/// Blocking: asks the account database and the kernel.
std::vector<Error> unusable_here(const QemuConf& conf);

/// Certificate folders that qemu.conf does not name: /etc/pki/libvirt-vnc and its like, where they exist.
/// What is then still unset means default_tls_x509_cert_dir. Blocking.
void find_certificates(QemuConf& conf);

} // namespace cloister
