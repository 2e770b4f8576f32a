#include "driver/plan/passthrough.hpp"

#include "conf/base/tr.hpp"
#include "conf/text/scalar.hpp"

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <charconv>
#include <fmt/format.h>

namespace cloister {

namespace {

/// Options of QEMU 7.2 that stand alone.
constexpr auto lone = std::to_array<std::string_view>({
    "h",
    "help",
    "version",
    "mem-prealloc",
    "audio-help",
    "snapshot",
    "usb",
    "nographic",
    "portrait",
    "full-screen",
    "win2k-hack",
    "no-fd-bootchk",
    "no-acpi",
    "no-hpet",
    "singlestep",
    "preconfig",
    "S",
    "s",
    "enable-kvm",
    "xen-attach",
    "no-reboot",
    "no-shutdown",
    "daemonize",
    "only-migratable",
    "nodefaults",
    "prom-env-none",
    "semihosting",
    "old-param",
    "no-user-config",
    "async-teardown",
    "no-kvm",
    "sdl",
    "curses",
    "nodefconfig",
    "enable-sync-profile",
    "xen-domid-restrict",
});
/// Options of QEMU 7.2 whose next word is their value.
constexpr auto valued = std::to_array<std::string_view>({
    "machine",
    "M",
    "cpu",
    "accel",
    "smp",
    "numa",
    "add-fd",
    "set",
    "global",
    "boot",
    "m",
    "mem-path",
    "k",
    "audio",
    "audiodev",
    "device",
    "name",
    "uuid",
    "fda",
    "fdb",
    "hda",
    "hdb",
    "hdc",
    "hdd",
    "cdrom",
    "blockdev",
    "drive",
    "mtdblock",
    "sd",
    "fsdev",
    "virtfs",
    "iscsi",
    "usbdevice",
    "display",
    "spice",
    "rotate",
    "vga",
    "g",
    "vnc",
    "acpitable",
    "smbios",
    "netdev",
    "nic",
    "net",
    "chardev",
    "tpmdev",
    "bios",
    "pflash",
    "kernel",
    "append",
    "initrd",
    "dtb",
    "compat",
    "fw_cfg",
    "serial",
    "parallel",
    "monitor",
    "qmp",
    "qmp-pretty",
    "mon",
    "debugcon",
    "pidfile",
    "overcommit",
    "gdb",
    "d",
    "D",
    "dfilter",
    "seed",
    "L",
    "xen-domid",
    "action",
    "loadvm",
    "option-rom",
    "rtc",
    "icount",
    "watchdog",
    "watchdog-action",
    "echr",
    "virtioconsole",
    "incoming",
    "chroot",
    "runas",
    "prom-env",
    "semihosting-config",
    "sandbox",
    "readconfig",
    "trace",
    "plugin",
    "msg",
    "dump-vmstate",
    "object",
    "soundhw",
    "tb-size",
    "realtime",
    "writeconfig",
});
/// What would take away what the launch relies on: confinement, the pause before the first instruction, the
/// process that we started.
constexpr auto refused = std::to_array<std::string_view>(
    {"sandbox", "runas", "chroot", "daemonize", "pidfile", "S", "incoming", "preconfig"});
/// Open doors into QEMU that we do not hold.
constexpr auto doors =
    std::to_array<std::string_view>({"monitor", "qmp", "qmp-pretty", "mon", "gdb", "s", "readconfig"});

template <std::size_t N> bool among(const std::array<std::string_view, N>& list, std::string_view name) {
    return std::ranges::find(list, name) != list.end();
}

void taint(LaunchPlan& plan, const char* flag) {
    if (std::ranges::find(plan.taints, flag) == plan.taints.end()) plan.taints.emplace_back(flag);
}

Result<boost::json::value> override_value(const OverrideProperty& property) {
    const auto& text = property.value.value_or("");
    const auto wrong = [&] {
        return fail(Code::config_unsupported,
                    tr("invalid value '{0}' for attribute '{1}' of the qemu:override of a device", text,
                       property.name));
    };
    switch (property.type) {
    case OverrideType::string: return boost::json::value(text);
    case OverrideType::signed_:
        if (const auto v = xml::Scalar<std::int64_t>::read(text)) return boost::json::value(*v);
        return wrong();
    case OverrideType::unsigned_:
        if (const auto v = xml::c_number(text)) return boost::json::value(*v);
        return wrong();
    case OverrideType::bool_:
        if (text == "true" || text == "yes" || text == "on") return boost::json::value(true);
        if (text == "false" || text == "no" || text == "off") return boost::json::value(false);
        return wrong();
    case OverrideType::remove: break;
    }
    return boost::json::value(nullptr);
}

} // namespace

std::optional<Arity> option_arity(std::string_view name) {
    if (among(lone, name)) return Arity::none;
    if (among(valued, name)) return Arity::value;
    return std::nullopt;
}

std::vector<PassthroughOption> read_options(const std::vector<std::string>& args) {
    std::vector<PassthroughOption> out;
    for (std::size_t i = 0; i < args.size(); ++i) {
        std::string_view word = args[i];
        PassthroughOption option{.place = i + 1};
        if (!word.starts_with('-')) {
            option.value = args[i];
            out.push_back(std::move(option));
            continue;
        }
        word.remove_prefix(word.starts_with("--") ? 2 : 1);
        option.name = word;
        if (option_arity(word) == Arity::value) {
            if (i + 1 < args.size())
                option.value = args[++i];
            else
                option.value_missing = true;
        }
        out.push_back(std::move(option));
    }
    return out;
}

Result<> check_passthrough(const Passthrough& passthrough) {
    for (const auto& option : read_options(passthrough.args)) {
        if (among(refused, option.name))
            return fail(
                Code::config_unsupported,
                tr("qemu:arg {0} '{1}' is refused: it would change how the guest is started or confined",
                   option.place, passthrough.args[option.place - 1]));
        if (option.value_missing)
            return fail(Code::config_unsupported, tr("qemu:arg {0} '{1}' needs a value, and none follows it",
                                                     option.place, passthrough.args[option.place - 1]));
    }
    return {};
}

Result<> add_passthrough_items(LaunchPlan& plan, const Passthrough& passthrough) {
    TRY(check_passthrough(passthrough));
    for (std::size_t i = 0; i < passthrough.args.size(); ++i)
        plan.items.push_back({"", passthrough.args[i], fmt::format("qemu:arg {}", i + 1)});
    if (!passthrough.args.empty() || !passthrough.envs.empty()) taint(plan, "custom-argv");
    if (!passthrough.overrides.empty()) taint(plan, "custom-device");
    if (!passthrough.capabilities_add.empty() || !passthrough.capabilities_del.empty())
        taint(plan, "custom-hypervisor-feature");
    for (const auto& option : read_options(passthrough.args))
        if (among(doors, option.name)) {
            taint(plan, "custom-monitor");
            plan.warnings.push_back(
                tr("qemu:arg {0} '{1}' opens a way into QEMU that the daemon does not hold", option.place,
                   passthrough.args[option.place - 1]));
        }
    if (std::ranges::find(passthrough.capabilities_del, "seccomp-sandbox") !=
        passthrough.capabilities_del.end())
        plan.warnings.push_back(
            tr("qemu:capabilities del 'seccomp-sandbox' is ignored: seccomp_sandbox in qemu.conf decides"));
    return {};
}

void add_passthrough_environment(LaunchPlan& plan, const Passthrough& passthrough) {
    for (const auto& env : passthrough.envs) {
        const auto why = fmt::format("qemu:env {}", env.name);
        const auto at = std::ranges::find(plan.env, env.name, &EnvVar::name);
        if (at == plan.env.end())
            plan.env.push_back({env.name, env.value.value_or(""), why});
        else
            *at = {env.name, env.value.value_or(""), why};
    }
}

Result<> apply_overrides(LaunchPlan& plan, const Passthrough& passthrough) {
    for (const auto& device : passthrough.overrides) {
        for (auto& item : plan.items) {
            auto* props = std::get_if<boost::json::object>(&item.value);
            if (item.option != "device" || !props) continue;
            const auto* id = props->if_contains("id");
            if (!id || !id->is_string() || id->as_string() != device.alias) continue;
            for (const auto& property : device.properties) {
                if (property.type == OverrideType::remove)
                    props->erase(property.name);
                else
                    (*props)[property.name] = TRY(override_value(property));
            }
            item.why += ", qemu:override";
        }
    }
    return {};
}

} // namespace cloister
