/// The host side of every character device: the -chardev item, its descriptors and grants. Pure.
#pragma once

#include "conf/part/chardev.hpp"
#include "driver/device/device.hpp"

#include <boost/json/object.hpp>

namespace cloister {

/// The alias, or the one that a device without aliases will get: PREFIX + index.
std::string id_of(const DeviceInfo& info, std::string_view prefix, unsigned index);

struct ChardevUse {
    std::string alias{};      ///< of the device: "serial0"; the chardev's id is "char" + alias
    std::string why{};        ///< provenance of its grants: "serial serial0"
    std::string spice_name{}; ///< of a spicevmc or vdagent: "vdagent", "usbredir", "smartcard"
    bool parallel = false;    ///< a host parallel port is another backend than a tty
};

/// Appends to `out` what the chardev needs: TLS credentials, fdsets, the -chardev itself, descriptors for
/// listening sockets and log files, grants for what QEMU opens itself.
/// Errors: config_unsupported.
Result<> add_chardev(DevicePlan& out, const Chardev& chardev, const std::optional<ChardevLog>& log,
                     const ChardevUse& use, const PlanContext& context);

/// pty when no type was given, connect when no mode was, raw TCP: what libvirt writes into a definition.
void complete_chardev(Chardev& chardev);
/// Errors: xml, with libvirt's texts, for a source that lacks what its type needs.
/// `may_lack_path`: of a UNIX socket whose path the daemon chooses (a virtio channel).
Result<> check_chardev(const Chardev& chardev, bool may_lack_path = false);

/// Adds the bus and number of a port on a virtio-serial controller, where the device has such an address.
void add_port(boost::json::object& props, const DeviceInfo& info, const Domain& domain);

/// A <seclabel> list as the layers read it.
std::vector<LabelOverride> overrides_of(const std::vector<DeviceSecLabel>& seclabels);

} // namespace cloister
