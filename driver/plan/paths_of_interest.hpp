/// What must be asked of the host, and taken, before a domain can be planned. Pure.
#pragma once

#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"

#include <string>
#include <vector>

namespace cloister {

/// Every host path that the domain or the settings name, once each: for HostFacts::paths.
std::vector<std::string> paths_of_interest(const Domain& domain, const QemuConf& conf);

/// Local images whose headers are to be read.
struct ImageOfInterest {
    std::string path{};
    std::string format{}; ///< as the definition says; never probed
    bool alone = false;   ///< what it stands on is in the text: only what else it names is asked
    bool operator==(const ImageOfInterest&) const = default;
};
std::vector<ImageOfInterest> images_of_interest(const Domain& domain);

/// True when a device of the host is given to the guest: for HostFacts::usb_devices, ::iommu_groups,
/// ::scsi_generic.
bool wants_host_devices(const Domain& domain);

/// "USER:GROUP" as static DAC labels write it, and swtpm's when there is a TPM to emulate: for
/// HostFacts::identities.
std::vector<std::string> identities_of_interest(const Domain& domain, const QemuConf& conf);

/// <secret>s that the domain refers to: "uuid:UUID" or "usage:TYPE:NAME": for Reserved::secrets.
std::vector<std::string> secrets_of_interest(const Domain& domain, const QemuConf& conf);

/// One TCP port that must be free, in the order of Reserved::display_ports or ::websocket_ports.
struct PortNeed {
    enum class Range { display, websocket };
    Range range = Range::display;
    std::string address{}; ///< where it is listened at
    bool operator==(const PortNeed&) const = default;
};
std::vector<PortNeed> ports_needed(const Domain& domain, const QemuConf& conf);

/// How many tap names must be made up: interfaces on a tap without a name of their own.
unsigned taps_needed(const Domain& domain);
/// How many vsock cids must be chosen.
unsigned vsock_cids_needed(const Domain& domain);

/// What live_copy() and plan_launch() take of Reserved::random: the master key and a generation id.
inline constexpr std::size_t launch_random_bytes = 48;

} // namespace cloister
