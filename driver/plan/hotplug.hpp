/// Adding, removing and changing devices of a running guest, as values: what the domain is afterwards, what
/// the host must give first, and what to tell QEMU's monitor, each command with the one that takes it back.
/// Pure. Source: facts/behaviour.md E.2, E.5.
#pragma once

#include "conf/base/result.hpp"
#include "conf/domain/domain.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/facts/reserved.hpp"
#include "security/plan.hpp"

#include <boost/json/object.hpp>
#include <span>

namespace cloister {

/// One command to QEMU's monitor.
struct MonitorStep {
    std::string command{};
    boost::json::object arguments{};
    std::vector<std::string> fds{}; ///< symbols of descriptors that travel with it (getfd, add-fd)
    bool operator==(const MonitorStep&) const = default;
};
struct HotStep {
    MonitorStep run{};
    std::optional<MonitorStep> undo{}; ///< when a later step fails; absent: nothing to take back
    bool operator==(const HotStep&) const = default;
};

/// A change of a running guest. Order of work: grants and descriptors of `host`, `steps`; then, for a
/// removal, DEVICE_DELETED of `alias`, `afterwards`, and the release of `released`.
struct HotPlan {
    Domain after{};      ///< the live domain once the change is done
    std::string alias{}; ///< of the device: what QEMU's events name
    DevicePlan host{};   ///< what the host gives before (its `items` are in `steps` already)
    std::vector<HotStep> steps{};
    std::vector<MonitorStep> afterwards{}; ///< failures of these are only worth a warning
    std::vector<Grant> released{};         ///< what the guest may touch no more
    bool waits_for_device_deleted = false; ///< the guest decides when it lets go
    bool operator==(const HotPlan&) const = default;
};

/// What planning a change needs besides the domain. References must outlive the call only.
struct HotContext {
    const QemuCaps& caps;
    const QemuConf& conf;
    const HostFacts& facts;
    const Reserved& reserved; ///< taps: the name for a new interface; random: for its MAC
    const LaunchPaths& paths;
};

/// Errors: operation_invalid (a target that is there already), operation_unsupported (a kind or bus that
/// cannot be added), xml, config_unsupported, internal ("No more available PCI slots").
Result<HotPlan> attach_device(const Domain& live, Device device, const HotContext& context);

/// `pattern`: an XML of the device; a disk is found by target, an interface by MAC, others by what identifies
/// them. Errors: device_missing, operation_unsupported, operation_failed (multifunction).
Result<HotPlan> detach_device(const Domain& live, const Device& pattern, const HotContext& context);
/// The same by alias. Errors: device_missing.
Result<HotPlan> detach_alias(const Domain& live, std::string_view alias, const HotContext& context);

/// Media of a CD-ROM or floppy, link state, passwords of displays, statistics of the balloon. Nothing to do
/// gives no steps. Errors: device_missing, operation_unsupported "cannot modify …".
Result<HotPlan> update_device(const Domain& live, Device device, const HotContext& context);

/// The same three on a stored definition: no monitor, the next start sees it. The result is a complete
/// domain.
Result<Domain> attach_config(const Domain& stored, Device device, const QemuCaps& caps, const QemuConf& conf,
                             const HostFacts& facts, std::span<const std::uint8_t> random);
Result<Domain> detach_config(const Domain& stored, const Device& pattern);
Result<Domain> update_config(const Domain& stored, Device device, const QemuCaps& caps, const QemuConf& conf);

/// The device of the domain that `pattern` means. Errors: device_missing with libvirt's texts.
Result<std::size_t> find_device(const Domain& domain, const Device& pattern);

} // namespace cloister
