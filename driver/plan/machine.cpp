#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/plan/parts.hpp"

#include <algorithm>
#include <boost/json/value.hpp>
#include <chrono>
#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;

// ---- identity: uuid, SMBIOS, fw_cfg ----------------------------------------------------

struct SmbiosKey {
    std::string_view xml, qemu;
};
constexpr SmbiosKey bios_keys[] = {
    {"vendor", "vendor"}, {"version", "version"}, {"date", "date"}, {"release", "release"}};
constexpr SmbiosKey system_keys[] = {{"manufacturer", "manufacturer"},
                                     {"product", "product"},
                                     {"version", "version"},
                                     {"serial", "serial"},
                                     {"uuid", "uuid"},
                                     {"sku", "sku"},
                                     {"family", "family"}};
constexpr SmbiosKey board_keys[] = {{"manufacturer", "manufacturer"},
                                    {"product", "product"},
                                    {"version", "version"},
                                    {"serial", "serial"},
                                    {"asset", "asset"},
                                    {"location", "location"}};
constexpr SmbiosKey chassis_keys[] = {{"manufacturer", "manufacturer"},
                                      {"version", "version"},
                                      {"serial", "serial"},
                                      {"asset", "asset"},
                                      {"sku", "sku"}};

template <std::size_t N>
void add_smbios(DevicePlan& out, int type, const SysinfoBlock& block, const SmbiosKey (&keys)[N]) {
    KeyValues text;
    text.add("type", std::to_string(type));
    bool any = false;
    for (const auto& key : keys)
        for (const auto& entry : block.entries)
            if (entry.name == key.xml && entry.value) {
                text.add(key.qemu, *entry.value);
                any = true;
            }
    if (any) out.items.push_back({"smbios", text.text(), "sysinfo smbios"});
}

void add_sysinfo(DevicePlan& out, const Sysinfo& sysinfo) {
    if (sysinfo.bios) add_smbios(out, 0, *sysinfo.bios, bios_keys);
    if (sysinfo.system) add_smbios(out, 1, *sysinfo.system, system_keys);
    for (const auto& board : sysinfo.base_boards) add_smbios(out, 2, board, board_keys);
    if (sysinfo.chassis) add_smbios(out, 3, *sysinfo.chassis, chassis_keys);
    if (sysinfo.oem_strings && !sysinfo.oem_strings->entries.empty()) {
        KeyValues text;
        text.add("type", "11");
        for (const auto& entry : sysinfo.oem_strings->entries) text.add("value", entry.value.value_or(""));
        out.items.push_back({"smbios", text.text(), "sysinfo oemStrings"});
    }
}

void add_fw_cfg(DevicePlan& out, const Sysinfo& sysinfo) {
    for (const auto& entry : sysinfo.entries) {
        KeyValues text;
        text.add("name", entry.name.value_or(""));
        if (entry.file) {
            text.add("file", *entry.file);
            out.grants.push_back({.path = *entry.file,
                                  .kind = Kind::file,
                                  .access = Access::read,
                                  .sharing = Sharing::shared,
                                  .why = "sysinfo fwcfg"});
        } else {
            text.add("string", entry.value.value_or(""));
        }
        out.items.push_back({"fw_cfg", text.text(), "sysinfo fwcfg"});
    }
}

// ---- the clock ----------------------------------------------------------------------------

std::string iso_time(std::int64_t seconds) {
    const std::chrono::sys_seconds at{std::chrono::seconds{seconds}};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{at - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::int64_t seconds_of(const std::string& text) {
    return xml::Scalar<std::int64_t>::read(text.starts_with('+') ? text.substr(1) : text).value_or(0);
}

Result<std::string> rtc_base(const Clock& clock, const PlanContext& context, DevicePlan& out) {
    switch (clock.offset.value_or(ClockOffset::utc)) {
    case ClockOffset::utc: return std::string("utc");
    case ClockOffset::localtime: return std::string("localtime");
    case ClockOffset::timezone:
        out.env.push_back({"TZ", clock.timezone.value_or(""), "clock timezone"});
        return std::string("localtime");
    case ClockOffset::absolute: return iso_time(clock.start.value_or(0));
    case ClockOffset::variable: {
        if (clock.basis == "localtime")
            return fail(Code::config_unsupported,
                        tr("clock offset='variable' with basis='localtime' is not supported yet"));
        return iso_time(context.facts.now + seconds_of(clock.adjustment.value_or("0")));
    }
    }
    return std::string("utc");
}

Result<> add_clock(DevicePlan& out, const PlanContext& context) {
    const auto clock = context.domain.clock.value_or(Clock{});
    KeyValues text;
    text.add("base", TRY(rtc_base(clock, context, out)));
    for (const auto& timer : clock.timers) {
        if (timer.name != TimerName::rtc) continue;
        if (timer.track) switch (*timer.track) {
            case TimerTrack::boot:
                return fail(Code::config_unsupported, tr("unsupported rtc timer track '{0}'", "boot"));
            case TimerTrack::guest: text.add("clock", "vm"); break;
            case TimerTrack::wall: text.add("clock", "host"); break;
            case TimerTrack::realtime: text.add("clock", "rt"); break;
            }
        if (timer.tickpolicy == TickPolicy::catchup) text.add("driftfix", "slew");
    }
    out.items.push_back({"rtc", text.text(), "clock"});
    for (const auto& timer : clock.timers) {
        if (timer.name == TimerName::pit && timer.tickpolicy) {
            if (*timer.tickpolicy == TickPolicy::delay || *timer.tickpolicy == TickPolicy::discard)
                out.items.push_back(
                    {"global",
                     fmt::format("kvm-pit.lost_tick_policy={}", names<TickPolicy>.text(*timer.tickpolicy)),
                     "clock timer pit"});
        }
        if (timer.name == TimerName::hpet && timer.present == YesNo::no)
            out.items.push_back({"no-hpet", {}, "clock timer hpet"});
    }
    return {};
}

// ---- power and boot -----------------------------------------------------------------------

void add_power(DevicePlan& out, const Domain& domain) {
    out.items.push_back({"no-shutdown", {}, "the daemon decides"});
    if (domain.on_reboot == LifecycleAction::destroy) // QEMU says SHUTDOWN when the guest resets itself
        out.monitor_commands.emplace_back("set-action", boost::json::object{{"reboot", "shutdown"}});
    if (!domain.features || !domain.features->acpi) out.items.push_back({"no-acpi", {}, "no features acpi"});
    if (!domain.pm) return;
    const auto add = [&](const std::optional<SleepState>& state, std::string_view which) {
        if (!state || !state->enabled) return;
        out.items.push_back({"global",
                             fmt::format("{}.{}={}", is_q35(domain) ? "ICH9-LPC" : "PIIX4_PM", which,
                                         state->enabled == YesNo::yes ? 0 : 1),
                             "pm"});
    };
    add(domain.pm->suspend_to_mem, "disable_s3");
    add(domain.pm->suspend_to_disk, "disable_s4");
}

void add_kernel(DevicePlan& out, const std::optional<std::string>& path, const char* option) {
    if (!path || path->empty()) return;
    const auto why = fmt::format("os {}", option);
    out.items.push_back({option, *path, why});
    out.grants.push_back(
        {.path = *path, .kind = Kind::file, .access = Access::read, .sharing = Sharing::shared, .why = why});
}

void add_boot(DevicePlan& out, const Domain& domain) {
    const auto& os = domain.os;
    KeyValues text;
    if (os.bootmenu && os.bootmenu->enable) {
        text.add("menu", os.bootmenu->enable == YesNo::yes ? "on" : "off");
        if (os.bootmenu->enable == YesNo::yes && os.bootmenu->timeout_ms)
            text.add("splash-time", std::to_string(*os.bootmenu->timeout_ms));
    }
    if (os.bios && os.bios->reboot_timeout_ms)
        text.add("reboot-timeout", std::to_string(*os.bios->reboot_timeout_ms));
    text.add("strict", "on");
    out.items.push_back({"boot", text.text(), "os boot"});
    add_kernel(out, os.kernel, "kernel");
    add_kernel(out, os.initrd, "initrd");
    if (os.cmdline && !os.cmdline->empty()) out.items.push_back({"append", *os.cmdline, "os cmdline"});
    add_kernel(out, os.dtb, "dtb");
    if (os.acpi)
        for (const auto& table : os.acpi->tables) {
            out.items.push_back({"acpitable", KeyValues{}.add("sig", "SLIC").add("file", table.path).text(),
                                 "os acpi table"});
            out.grants.push_back({.path = table.path,
                                  .kind = Kind::file,
                                  .access = Access::read,
                                  .sharing = Sharing::shared,
                                  .why = "os acpi table"});
        }
    if (os.loader && os.loader->path && os.loader->type.value_or(LoaderType::rom) == LoaderType::rom) {
        out.items.push_back({"bios", *os.loader->path, "os loader"});
        out.grants.push_back({.path = *os.loader->path,
                              .kind = Kind::file,
                              .access = Access::read,
                              .sharing = Sharing::shared,
                              .keep_owner = true,
                              .why = "os loader"});
    }
}

} // namespace

Result<DevicePlan> identity_items(const PlanContext& context) {
    DevicePlan out;
    const auto& domain = context.domain;
    if (domain.uuid) out.items.push_back({"uuid", printed(*domain.uuid), "uuid"});
    const auto mode = domain.os.smbios ? domain.os.smbios->mode : SmbiosMode::emulate;
    if (mode == SmbiosMode::host)
        return fail(
            Code::config_unsupported,
            tr("smbios mode '{0}' is not supported: copy what the guest may see into <sysinfo>", "host"));
    bool smbios = false;
    for (const auto& sysinfo : domain.sysinfo) {
        if (sysinfo.type == SysinfoType::smbios && mode == SmbiosMode::sysinfo) {
            add_sysinfo(out, sysinfo);
            smbios = true;
        }
    }
    if (mode == SmbiosMode::sysinfo && !smbios)
        return fail(Code::xml, tr("Domain '{0}' sysinfo are not available", domain.name));
    for (const auto& sysinfo : domain.sysinfo)
        if (sysinfo.type == SysinfoType::fwcfg) add_fw_cfg(out, sysinfo);
    if (domain.genid && domain.genid->uuid)
        out.items.push_back(
            {"device",
             object{{"driver", "vmgenid"}, {"guid", printed(*domain.genid->uuid)}, {"id", "vmgenid0"}},
             "genid"});
    return out;
}

Result<DevicePlan> machine_items(const PlanContext& context) {
    DevicePlan out;
    const auto& domain = context.domain;
    if (devices_of<Graphics>(domain).empty()) out.items.push_back({"display", "none", "no graphics"});
    out.items.push_back({"no-user-config", {}, "nothing but the plan"});
    out.items.push_back({"nodefaults", {}, "nothing but the plan"});
    if (domain.os.bios && domain.os.bios->useserial == YesNo::yes) {
        if (!context.caps.has_type("sga"))
            return fail(Code::config_unsupported, tr("qemu does not support SGA"));
        out.items.push_back({"device", object{{"driver", "sga"}}, "os bios useserial"});
    }
    out.descriptors.push_back({"monitor", ListenSocket{.path = context.paths.monitor}, "monitor"});
    out.items.push_back({"chardev",
                         KeyValues("socket")
                             .add("id", "charmonitor")
                             .add("fd", fd_symbol("monitor"))
                             .add("server", "on")
                             .add("wait", "off")
                             .text(),
                         "monitor"});
    out.items.push_back({"mon", "chardev=charmonitor,id=monitor,mode=control", "monitor"});
    TRY(add_clock(out, context));
    add_power(out, domain);
    add_boot(out, domain);
    return out;
}

} // namespace cloister
