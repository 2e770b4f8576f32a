/// The confinement of a running guest as a value: planned against found, item by item.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct ReportItem {
    Layer layer = Layer::none;
    std::string item{};    ///< "uid", "CapBnd of thread 4711 (IO mon_iothread)", "node /dev/kvm"
    std::string planned{}; ///< as text; empty: nothing was planned
    std::string found{};
    bool ok = true;
    std::string why{}; ///< the provenance of what was planned, or why it could not be read
    bool operator==(const ReportItem&) const = default;
};
/// Accesses to a device that the kernel refused to the guest's group.
struct DeviceDenial {
    DeviceRule what{};  ///< its rights: those that were asked for and are not in the list
    std::string name{}; ///< "/dev/loop-control"; empty: the host has no such device
    std::uint64_t times = 0;
    std::int64_t first = 0, last = 0; ///< seconds since 1970
    bool operator==(const DeviceDenial&) const = default;
};
struct Report {
    std::vector<ReportItem> items{};
    std::optional<std::vector<DeviceDenial>> denied{}; ///< absent: not recorded
    std::string denied_why{};                          ///< why it is not
    std::vector<std::string> relaxations{}; ///< what is off or weaker, and the line that made it so
    std::vector<std::string> notes{};       ///< what this host cannot do
    bool ok() const;
    bool operator==(const Report&) const = default;
};

/// A table for people, failures marked, one line per item.
std::string printed(const Report& report);
boost::json::value to_json(const Report& report);
/// "seccomp: Seccomp_filters of thread 12: planned 2, found 1; …": the differences in one sentence.
std::string differences(const Report& report);
std::string_view layer_name(Layer layer);

} // namespace cloister
