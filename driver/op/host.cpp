#include "driver/op/host.hpp"

#include "conf/base/tr.hpp"
#include "conf/text/xml_node.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/describe/describe.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/plan/mac.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/probe/node.hpp"
#include "driver/probe/sysfs.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <linux/kvm.h>
#include <memory>
#include <netdb.h>
#include <string_view>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace cloister {

namespace {

using CapsPointer = std::shared_ptr<const QemuCaps>;

constexpr std::string_view native = "x86_64";
constexpr std::uint64_t interface_version = 9'000'000; // libvirt 9.0: the newest procedure that is served
constexpr std::int32_t max_vcpus_of_qemu = 16;

/// The architectures and types that a definition may name, though only some can be served.
constexpr std::array<std::string_view, 34> architectures{
    "aarch64", "alpha",   "armv6l",   "armv7b",      "armv7l",   "cris",       "i686",
    "ia64",    "itanium", "lm32",     "loongarch64", "m68k",     "microblaze", "microblazeel",
    "mips",    "mips64",  "mips64el", "mipsel",      "openrisc", "parisc",     "parisc64",
    "ppc",     "ppc64",   "ppc64le",  "ppcemb",      "riscv32",  "riscv64",    "s390",
    "s390x",   "sh4",     "sh4eb",    "sparc",       "sparc64",  "x86_64"};
constexpr std::array<std::string_view, 16> virt_types{"bhyve",  "hyperv",    "hvf",  "kqemu", "kvm",  "lxc",
                                                      "openvz", "parallels", "phyp", "qemu",  "test", "uml",
                                                      "vbox",   "vmware",    "vz",   "xen"};
/// Those whose processors have no named models here.
constexpr std::array<std::string_view, 8> without_models{"aarch64", "armv6l",  "armv7l", "ppc64",
                                                         "ppc64le", "riscv64", "s390",   "s390x"};

std::string emulator_of(std::string_view arch) {
    return "/usr/bin/qemu-system-" + std::string(arch == "i686" ? "i386" : arch);
}

template <std::size_t N> bool known(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

bool is_x86(std::string_view arch) { return arch == "x86_64" || arch == "i686"; }
std::string definition_arch(const QemuCaps& caps) { return caps.arch == "i386" ? "i686" : caps.arch; }

/// The canonical name, as `hostname -f` finds it; the short one when nobody knows more.
std::string host_name() {
    std::array<char, 256> room{};
    ::gethostname(room.data(), room.size() - 1);
    const std::string name = room.data();
    if (name.starts_with("localhost") || name.find('.') != std::string::npos) return name;
    addrinfo wish{};
    wish.ai_flags = AI_CANONNAME;
    wish.ai_family = AF_UNSPEC;
    addrinfo* found = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &wish, &found) != 0 || !found) return name;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
    const std::string full = found->ai_canonname ? found->ai_canonname : "";
    return full.empty() || full.starts_with("localhost") ? name : full;
}

std::int32_t max_vcpus_of_kvm() {
    const int kvm = ::open("/dev/kvm", O_RDONLY | O_CLOEXEC);
    if (kvm < 0) return max_vcpus_of_qemu;
    int most = ::ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
    if (most <= 0) most = ::ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
    ::close(kvm);
    return most > 0 ? most : max_vcpus_of_qemu;
}

/// As qemu.conf stacks them: SELinux, AppArmor or nothing, then DAC, unless everything is off.
std::vector<SecurityModel> security_models(const QemuConf& conf, const HostFacts& host) {
    const bool off = conf.security_driver && conf.security_driver->empty();
    std::vector<SecurityModel> out{{.model = std::string(mac_model(conf, host))}};
    if (out.front().model == "selinux") {
        const auto& policy = host.selinux_policy;
        out.front().base_labels = {
            {"kvm", policy.process},
            {"qemu", policy.process_tcg.empty() ? policy.process : policy.process_tcg}};
    }
    if (off || !host.privileged || !host.emulator_ids) return out;
    const auto label =
        "+" + std::to_string(host.emulator_ids->uid) + ":+" + std::to_string(host.emulator_ids->gid);
    out.push_back({.model = "dac", .base_labels = {{"kvm", label}, {"qemu", label}}});
    return out;
}

struct SmbiosEntry {
    const char *part, *name, *file;
};
constexpr SmbiosEntry smbios[]{
    {"bios", "vendor", "bios_vendor"},
    {"bios", "version", "bios_version"},
    {"bios", "date", "bios_date"},
    {"bios", "release", "bios_release"},
    {"system", "manufacturer", "sys_vendor"},
    {"system", "product", "product_name"},
    {"system", "version", "product_version"},
    {"system", "serial", "product_serial"},
    {"system", "uuid", "product_uuid"},
    {"system", "sku", "product_sku"},
    {"system", "family", "product_family"},
    {"baseBoard", "manufacturer", "board_vendor"},
    {"baseBoard", "product", "board_name"},
    {"baseBoard", "version", "board_version"},
    {"baseBoard", "serial", "board_serial"},
    {"baseBoard", "asset", "board_asset_tag"},
    {"chassis", "manufacturer", "chassis_vendor"},
    {"chassis", "version", "chassis_version"},
    {"chassis", "serial", "chassis_serial"},
    {"chassis", "asset", "chassis_asset_tag"},
};

/// Empty when the host has no SMBIOS.
std::string sysinfo_xml() {
    xml::Node root{.name = "sysinfo"};
    root.set("type", "smbios");
    for (const auto& one : smbios) {
        auto value = file_line(std::string("/sys/class/dmi/id/") + one.file);
        if (value.empty()) continue;
        auto& part = !root.children.empty() && root.children.back().name == one.part ? root.children.back()
                                                                                     : root.add(one.part);
        auto& entry = part.add("entry");
        entry.set("name", one.name);
        entry.text = std::move(value);
    }
    return root.children.empty() ? std::string() : xml::print(root);
}

/// The emulator that serves a request, with its capabilities for the architecture asked for.
Task<Result<CapsPointer>> serving(Driver* driver, std::optional<std::string> path,
                                  std::optional<std::string> arch) {
    if (arch && !known(architectures, *arch))
        co_return fail(Code::invalid_arg, tr("unknown architecture: {0}", *arch));
    const std::string wanted = arch.value_or(std::string(native));
    const std::string emulator = path.value_or(emulator_of(wanted));
    if (!path && ::access(emulator.c_str(), F_OK) != 0)
        co_return fail(Code::config_unsupported,
                       tr("unable to find any emulator to serve '{0}' architecture", wanted));
    CO_TRY(caps, co_await driver->caps(emulator));
    if (definition_arch(*caps) == wanted) co_return caps;
    if (caps->arch != "x86_64" || wanted != "i686")
        co_return fail(Code::invalid_arg, tr("Emulator '{0}' does not support arch '{1}'", emulator, wanted));
    auto narrow = std::make_shared<QemuCaps>(*caps);
    narrow->arch = "i686";
    co_return narrow;
}

std::optional<std::string> plain(const std::optional<Text<>>& text) {
    return text ? std::optional(text->value) : std::nullopt;
}

} // namespace

Task<Result<ConnectGetType::Out>> ConnectGetType::run(Call, In) { co_return Out{.type = {"QEMU"}}; }

Task<Result<ConnectGetVersion::Out>> ConnectGetVersion::run(Call call, In) {
    const auto emulator = emulator_of(native);
    if (::access(emulator.c_str(), F_OK) != 0)
        co_return fail(Code::internal, tr("Cannot find suitable emulator for {0}", native));
    CO_TRY(caps, co_await call.driver->caps(emulator));
    co_return Out{.hv_ver = caps->version};
}

Task<Result<ConnectGetLibVersion::Out>> ConnectGetLibVersion::run(Call, In) {
    co_return Out{.lib_ver = interface_version};
}

Task<Result<ConnectGetHostname::Out>> ConnectGetHostname::run(Call call, In) {
    auto name = co_await offload(call.driver->workers(), host_name);
    co_return Out{.hostname = {std::move(name)}};
}

Task<Result<ConnectGetMaxVcpus::Out>> ConnectGetMaxVcpus::run(Call, In in) {
    const std::string type = in.type ? in.type->value : "qemu";
    if (::strcasecmp(type.c_str(), "qemu") == 0) co_return Out{.max_vcpus = max_vcpus_of_qemu};
    if (::strcasecmp(type.c_str(), "kvm") == 0) co_return Out{.max_vcpus = max_vcpus_of_kvm()};
    co_return fail(Code::invalid_arg, tr("unknown type '{0}'", type));
}

Task<Result<ConnectGetCapabilities::Out>> ConnectGetCapabilities::run(Call call, In) {
    std::vector<CapsPointer> emulators;
    for (const std::string_view arch : {"i686", "x86_64"}) {
        const auto path = emulator_of(arch);
        if (::access(path.c_str(), X_OK) != 0) continue;
        auto caps = co_await call.driver->caps(path);
        if (caps) emulators.push_back(*std::move(caps));
    }
    CO_TRY(facts, co_await call.driver->facts({}));
    auto look = [uuid = call.driver->daemon().host_uuid.value_or(""),
                 source = call.driver->daemon().host_uuid_source] { return host_topology(uuid, source); };
    const auto topology = co_await offload(call.driver->workers(), std::move(look));
    std::vector<const QemuCaps*> shown;
    for (const auto& one : emulators) shown.push_back(one.get());
    co_return Out{
        .capabilities = {capabilities_xml(topology, shown, security_models(call.driver->conf(), facts))}};
}

Task<Result<ConnectGetDomainCapabilities::Out>> ConnectGetDomainCapabilities::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuConnectGetDomainCapabilities"));
    if (in.virttype && !known(virt_types, in.virttype->value))
        co_return fail(Code::invalid_arg, tr("unknown virttype: {0}", in.virttype->value));
    CO_TRY(caps, co_await serving(call.driver, plain(in.emulatorbin), plain(in.arch)));
    const std::string type = in.virttype ? in.virttype->value : caps->kvm ? "kvm" : "qemu";
    if (type != "qemu" && (type != "kvm" || !caps->kvm))
        co_return fail(Code::invalid_arg,
                       tr("Emulator '{0}' does not support virt type '{1}'", caps->emulator, type));
    const auto* machine = in.machine ? caps->machine(in.machine->value) : caps->default_machine();
    if (!machine || machine->name == "none")
        co_return fail(Code::invalid_arg, tr("the machine '{0}' is not supported by emulator '{1}'",
                                             in.machine ? in.machine->value : std::string(), caps->emulator));
    CO_TRY(facts, co_await call.driver->facts({}));
    co_return Out{.capabilities = {domain_capabilities_xml(*caps, facts, *machine, type)}};
}

Task<Result<ConnectGetCpuModelNames::Out>> ConnectGetCpuModelNames::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuConnectGetCPUModelNames"));
    const std::string arch = in.arch.value;
    if (!known(architectures, arch))
        co_return fail(Code::invalid_arg, tr("cannot find architecture {0}", arch));
    if (known(without_models, arch)) co_return Out{};
    if (!is_x86(arch))
        co_return refuse(Code::no_support, tr("'{0}' architecture is not supported by CPU driver", arch),
                         ErrorDomain::cpu);
    CO_TRY(caps, co_await call.driver->caps(emulator_of(native)));
    Out out;
    for (const auto& cpu : caps->cpus_tcg.empty() ? caps->cpus_kvm : caps->cpus_tcg)
        if (!cpu.alias_of.empty()) out.models.items.push_back({cpu.name});
    out.ret = static_cast<std::int32_t>(out.models.items.size());
    if (!in.need_results) out.models.items.clear();
    co_return out;
}

Task<Result<ConnectGetSysinfo::Out>> ConnectGetSysinfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuConnectGetSysinfo"));
    auto text = co_await offload(call.driver->workers(), sysinfo_xml);
    if (text.empty())
        co_return fail(Code::config_unsupported, tr("Host SMBIOS information is not available"));
    co_return Out{.sysinfo = {std::move(text)}};
}

} // namespace cloister
