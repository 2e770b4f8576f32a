/// Storage nodes of images behind the network.
#pragma once

#include "driver/device/blockdev.hpp"

namespace cloister {

/// The options of QEMU's driver for the source's protocol, its `driver` first.
/// Errors: config_unsupported for a protocol that QEMU does not have, internal for what libvirt calls so.
Result<boost::json::object> network_driver(const Source& source, const NodeNames& names,
                                           const QemuConf& conf);

/// True when the connection is to be encrypted: by the source, or by qemu.conf's nbd_tls.
bool wants_tls(const Source& source, const QemuConf& conf);

} // namespace cloister
