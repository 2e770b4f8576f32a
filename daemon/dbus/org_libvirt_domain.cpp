/// org.libvirt.Domain: the methods and properties of a domain's object. Source: as for Connect.
#include "conf/base/tr.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_block.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/call/domain_guest.hpp"
#include "conf/call/domain_memory.hpp"
#include "conf/call/domain_save.hpp"
#include "conf/call/domain_vcpu.hpp"
#include "daemon/dbus/domain_methods.hpp"
#include "daemon/dbus/files.hpp"
#include "daemon/dbus/shapes.hpp"

namespace cloister::dbus {
namespace {

using namespace call;
using Flags = std::uint32_t;

std::vector<Method> life() {
    const auto state = [](const DomainGetStateOut& out) { return std::tuple(out.state, out.reason); };
    return {
        method<DomainCreateWithFlagsIn, DomainCreateWithFlagsOut>(196, "Create", "flags", "", AsItIs{},
                                                                  Quiet{}),
        with_files<DomainCreateWithFilesIn, DomainCreateWithFilesOut>(310, "CreateWithFiles", "files flags",
                                                                      "", Quiet{}),
        method<DomainDestroyFlagsIn>(234, "Destroy", "flags"),
        method<DomainGetControlInfoIn, DomainGetControlInfoOut>(229, "GetControlInfo", "flags", "controlInfo",
                                                                AsItIs{}, whole),
        method<DomainGetStateIn, DomainGetStateOut>(212, "GetState", "flags", "state", AsItIs{}, state),
        method<DomainPmWakeupIn>(267, "PMWakeup", "flags"),
        method<DomainRebootIn>(27, "Reboot", "flags"),
        method<DomainResetIn>(245, "Reset", "flags"),
        method<DomainResumeIn>(28, "Resume"),
        method<DomainShutdownFlagsIn>(258, "Shutdown", "flags"),
        method<DomainSuspendIn>(34, "Suspend"),
    };
}

std::vector<Method> definition() {
    return {
        method<DomainAttachDeviceFlagsIn>(160, "AttachDevice", "xml flags"),
        method<DomainDetachDeviceFlagsIn>(161, "DetachDevice", "xml flags"),
        method<DomainUpdateDeviceFlagsIn>(174, "UpdateDevice", "xml flags"),
        method<DomainGetMetadataIn, DomainGetMetadataOut>(265, "GetMetadata", "type uri flags", "metadata"),
        method<DomainSetMetadataIn>(264, "SetMetadata", "type metadata key uri flags"),
        method<DomainGetXmlDescIn, DomainGetXmlDescOut>(14, "GetXMLDesc", "flags", "xml"),
        method<DomainRenameIn, DomainRenameOut>(358, "Rename", "name flags", "", AsItIs{}, Quiet{}),
        method<DomainUndefineFlagsIn>(231, "Undefine", "flags"),
    };
}

std::vector<Method> guest_agent() {
    const auto now = [](const DomainGetTimeOut& out) {
        return std::tuple(static_cast<std::uint64_t>(out.seconds), out.nseconds);
    };
    const auto set_time = [](DomainSetTimeIn& in, std::uint64_t seconds, std::uint32_t rest, Flags flags) {
        in.seconds = static_cast<std::int64_t>(seconds);
        in.nseconds = rest;
        in.flags = flags;
    };
    // An empty password is one.
    const auto password = [](DomainSetUserPasswordIn& in, std::string user, std::string secret, Flags flags) {
        in.user = Text<>{std::move(user)};
        in.password = Text<>{std::move(secret)};
        in.flags = flags;
    };
    return {
        method<DomainFsfreezeIn, DomainFsfreezeOut>(335, "FSFreeze", "mountpoints flags", "frozenFilesystems",
                                                    AsItIs{},
                                                    Only<&DomainFsfreezeOut::filesystems, std::uint32_t>{}),
        method<DomainFsthawIn, DomainFsthawOut>(336, "FSThaw", "mountpoints flags", "thawedFilesystems",
                                                AsItIs{},
                                                Only<&DomainFsthawOut::filesystems, std::uint32_t>{}),
        method<DomainFstrimIn>(294, "FSTrim", "mountpoint minimum flags"),
        method<DomainGetFsinfoIn, DomainGetFsinfoOut>(349, "GetFSInfo", "flags", "fsInfo", AsItIs{},
                                                      Only<&DomainGetFsinfoOut::info>{}),
        method<DomainGetHostnameIn, DomainGetHostnameOut>(277, "GetHostname", "flags", "hostname"),
        method<DomainGetTimeIn, DomainGetTimeOut>(337, "GetTime", "flags", "time", AsItIs{}, now),
        method<DomainInterfaceAddressesIn, DomainInterfaceAddressesOut>(353, "InterfaceAddresses",
                                                                        "source flags", "ifaces"),
        method<DomainSetTimeIn>(338, "SetTime", "seconds nseconds flags", "", set_time),
        method<DomainSetUserPasswordIn>(357, "SetUserPassword", "user password flags", "", password),
    };
}

/// The keyboard, the screen, and what is looked at from outside while it runs.
std::vector<Method> console() {
    const auto block = [](DomainBlockPeekIn& in, std::string disk, std::uint64_t offset, std::uint64_t size,
                          Flags flags) -> Result<> {
        in.path.value = std::move(disk);
        in.offset = offset;
        in.flags = flags;
        return narrow(size, in.size);
    };
    const auto memory = [](DomainMemoryPeekIn& in, std::uint64_t offset, std::uint64_t size,
                           Flags flags) -> Result<> {
        in.offset = offset;
        in.flags = flags;
        return narrow(size, in.size);
    };
    const auto security = [](const DomainGetSecurityLabelListOut& out) {
        std::vector<std::tuple<Chars<4097>, bool>> all;
        for (const auto& label : out.labels.items) all.emplace_back(label.label, label.enforcing != 0);
        return all;
    };
    return {
        method<DomainBlockPeekIn, DomainBlockPeekOut>(103, "BlockPeek", "disk offset size flags", "buffer",
                                                      block),
        method<DomainMemoryPeekIn, DomainMemoryPeekOut>(104, "MemoryPeek", "offset size flags", "buffer",
                                                        memory),
        method<DomainGetSecurityLabelListIn, DomainGetSecurityLabelListOut>(
            278, "GetSecurityLabelList", "", "securityLabels", AsItIs{}, security),
        method<DomainInjectNmiIn>(210, "InjectNMI", "flags"),
        open_graphics(),
        method<DomainSendKeyIn>(226, "SendKey", "codeset holdtime keycodes flags"),
        method<DomainSendProcessSignalIn>(295, "SendProcessSignal", "pidValue sigNum flags"),
    };
}

std::vector<Property> properties() {
    using ById = DomainLookupByUuidOut;
    const auto id = [](const ById& out) { return static_cast<std::uint32_t>(std::max(0, out.dom.id)); };
    const auto name = [](const ById& out) { return out.dom.name; };
    const auto uuid = [](const ById& out) { return printed(Uuid{out.dom.uuid}); };
    const auto set_autostart = [](DomainSetAutostartIn& in, bool on) { in.autostart = on ? 1 : 0; };
    auto autostart = property<DomainGetAutostartIn, DomainGetAutostartOut>(
        15, "Autostart", Only<&DomainGetAutostartOut::autostart, bool>{});
    autostart.set = method<DomainSetAutostartIn>(29, "Autostart", "", "", set_autostart);
    auto identity = property<DomainLookupByUuidIn, ById>(24, "UUID", uuid);
    identity.constant = true;
    return {
        property<DomainIsActiveIn, DomainIsActiveOut>(150, "Active",
                                                      Only<&DomainIsActiveOut::active, bool>{}),
        std::move(autostart),
        property<DomainLookupByUuidIn, ById>(24, "Id", id),
        property<DomainLookupByUuidIn, ById>(24, "Name", name),
        property<DomainGetOsTypeIn, DomainGetOsTypeOut>(19, "OSType"),
        property<DomainIsPersistentIn, DomainIsPersistentOut>(
            151, "Persistent", Only<&DomainIsPersistentOut::persistent, bool>{}),
        property<DomainGetSchedulerTypeIn, DomainGetSchedulerTypeOut>(56, "SchedulerType", whole),
        property<DomainIsUpdatedIn, DomainIsUpdatedOut>(202, "Updated",
                                                        Only<&DomainIsUpdatedOut::updated, bool>{}),
        std::move(identity),
    };
}

std::vector<Signal> signals() {
    return {{"AgentEvent", "ii", "state reason"},
            {"BalloonChange", "t", "actual"},
            {"BlockJob", "sii", "disk type status"},
            {"ControlError", "", ""},
            {"DeviceAdded", "s", "device"},
            {"DeviceRemovalFailed", "s", "device"},
            {"DeviceRemoved", "s", "device"},
            {"DiskChange", "sssi", "oldSrcPath newSrcPath device reason"},
            {"Graphics", "i(iss)(iss)sa(ss)", "phase local remote authScheme identities"},
            {"IOError", "ssis", "srcPath device action reason"},
            {"JobCompleted", "a{sv}", "params"},
            {"MetadataChange", "is", "type nsuri"},
            {"MigrationIteration", "i", "iteration"},
            {"PMSuspend", "i", "reason"},
            {"PMSuspendDisk", "i", "reason"},
            {"PMWakeup", "i", "reason"},
            {"Reboot", "", ""},
            {"RTCChange", "x", "utcoffset"},
            {"TrayChange", "si", "device reason"},
            {"Tunable", "a{sv}", "params"},
            {"Watchdog", "i", "action"}};
}

} // namespace

Interface domain_interface() {
    Interface out{.name = "org.libvirt.Domain", .properties = properties(), .signals = signals()};
    for (auto& family : {life(), definition(), guest_agent(), console(), domain_tuning_methods(),
                         domain_vcpu_methods(), domain_job_methods()})
        out.methods.insert(out.methods.end(), family.begin(), family.end());
    std::ranges::sort(out.methods, {}, &Method::name);
    return out;
}

} // namespace cloister::dbus
