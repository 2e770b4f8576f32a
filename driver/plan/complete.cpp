#include "driver/plan/complete.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/check.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/device.hpp"
#include "driver/plan/address.hpp"
#include "driver/plan/check.hpp"
#include "driver/plan/controllers.hpp"
#include "driver/plan/cpu.hpp"
#include "driver/plan/mac.hpp"
#include "driver/plan/pci_class.hpp"
#include "driver/plan/usb.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cloister {

namespace {

/// Bytes from the front; zeros once they are used up.
class Random {
public:
    explicit Random(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    template <std::size_t N> std::array<std::uint8_t, N> take() {
        std::array<std::uint8_t, N> out{};
        for (auto& b : out)
            if (at_ < bytes_.size()) b = bytes_[at_++];
        return out;
    }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

void complete_macs(Domain& domain, Random& random) {
    for_each<Interface>(domain, [&](Interface& i) {
        if (i.mac) return;
        const auto tail = random.take<3>();
        i.mac = InterfaceMac{.address = Mac{{0x52, 0x54, 0x00, tail[0], tail[1], tail[2]}}};
    });
}

/// "x86_64" -> "/usr/bin/qemu-system-x86_64", as Debian installs it.
std::string default_emulator(std::string_view arch) {
    return fmt::format("/usr/bin/qemu-system-{}", arch == "i686" ? std::string_view("i386") : arch);
}

Result<> complete_machine(Domain& domain, const QemuCaps& caps) {
    auto& machine = domain.os.type.machine;
    const auto* found = machine ? caps.machine(*machine) : caps.default_machine();
    if (!found)
        return fail(Code::config_unsupported,
                    tr("Emulator '{0}' does not support machine type '{1}'",
                       domain.devices.emulator.value_or(caps.emulator), machine.value_or("")));
    machine = found->name;
    return {};
}

/// Keyboard and mouse of the machine itself: they are always there on x86.
void add_machine_inputs(Domain& domain) {
    const auto has = [&](InputType type) {
        return std::ranges::any_of(devices_of<Input>(std::as_const(domain)), [&](const auto* input) {
            return input->type == type && input->bus.value_or(InputBus::ps2) == InputBus::ps2;
        });
    };
    for (const auto type : {InputType::mouse, InputType::keyboard})
        if (!has(type)) domain.devices.list.emplace_back(Input{.type = type, .bus = InputBus::ps2});
}

/// Where sound goes when nothing says so; nullopt: a local window, which has sound of its own.
std::optional<AudioType> audio_for(const Domain& domain, const QemuConf& conf, const HostFacts& facts) {
    const auto from_environment = [&]() -> AudioType {
        const auto found = facts.environment.find("QEMU_AUDIO_DRV");
        if (found == facts.environment.end()) return AudioType::none;
        if (found->second == "pa") return AudioType::pulseaudio;
        if (found->second == "wav") return AudioType::file;
        return names<AudioType>.value(found->second).value_or(AudioType::none);
    };
    const auto graphics = devices_of<Graphics>(domain);
    if (graphics.empty()) return conf.nographics_allow_host_audio ? from_environment() : AudioType::none;
    const auto has = [&](auto kind) {
        return std::ranges::any_of(graphics, [](const Graphics* g) {
            return std::holds_alternative<typename decltype(kind)::type>(g->kind);
        });
    };
    if (has(std::type_identity<Spice>{})) return AudioType::spice;
    if (has(std::type_identity<Vnc>{}))
        return conf.vnc_allow_host_audio ? from_environment() : AudioType::none;
    return std::nullopt;
}

void add_implicit_devices(Domain& domain, const QemuConf& conf, const HostFacts& facts) {
    add_machine_inputs(domain);
    auto& list = domain.devices.list;
    if (!devices_of<Graphics>(domain).empty() && devices_of<Video>(domain).empty())
        list.emplace_back(Video{});
    if (devices_of<Audio>(domain).empty())
        if (const auto type = audio_for(domain, conf, facts))
            list.emplace_back(Audio{.id = 1, .type = *type});
    if (devices_of<Memballoon>(domain).empty()) list.emplace_back(Memballoon{});
    std::uint32_t most = 0;
    for_each<Audio>(domain, [&](const Audio& a) { most = std::max(most, a.id.value_or(0)); });
    for_each<Audio>(domain, [&](Audio& a) {
        if (!a.id) a.id = ++most;
    });
}

/// A channel's socket is the daemon's business until its path is written down.
void forget_empty_sources(Domain& domain) {
    for_each<Channel>(domain, [](Channel& channel) {
        auto* socket = std::get_if<UnixChardev>(&channel.chardev.how);
        if (!socket || !socket->source || socket->source->path || !channel.target ||
            !std::holds_alternative<VirtioChannel>(channel.target->kind))
            return;
        if (socket->source->mode.value_or(SocketMode::bind) == SocketMode::bind &&
            !socket->source->reconnect && socket->source->seclabels.empty() && socket->source->rest.empty())
            socket->source.reset();
    });
}

/// Each device's own defaults. The list does not change meanwhile.
void complete_devices(Domain& domain, const QemuCaps* caps, const QemuConf& conf, bool live) {
    std::array<unsigned, std::variant_size_v<DeviceKinds>> counts{};
    for (auto& device : domain.devices.list) {
        const CompleteContext context{domain, caps, conf, counts[device.index()]++, live};
        std::visit(
            [&]<class D>(D& d) {
                if constexpr (!std::is_same_v<D, UnmodelledDevice>) complete(d, context);
            },
            device);
    }
}

Result<> check_devices(const Domain& domain, const QemuCaps* caps, const QemuConf& conf) {
    std::array<unsigned, std::variant_size_v<DeviceKinds>> counts{};
    for (const auto& device : domain.devices.list) {
        const CompleteContext context{domain, caps, conf, counts[device.index()]++};
        TRY(std::visit(
            [&]<class D>(const D& d) -> Result<> {
                if constexpr (!std::is_same_v<D, UnmodelledDevice>)
                    return check(d, context);
                else
                    return {};
            },
            device));
    }
    return {};
}

/// A lone label without a model means the host's first security driver. Where nothing mandatory is in force
/// that is the driver that does nothing, and there is nothing to make a label of.
void complete_seclabels(Domain& domain, const QemuConf& conf, const HostFacts& facts) {
    const auto model = mac_model(conf, facts);
    const bool mandatory = model != "none";
    // The model "none" is the older spelling of "not confined by SELinux".
    if (mandatory && label_of(domain, model) == nullptr)
        for (auto& label : domain.seclabels)
            if (label.model == "none") {
                label.model = model;
                label.type = SecLabelType::none;
                label.relabel.reset();
            }
    if (domain.seclabels.size() != 1) return;
    auto& label = domain.seclabels.front();
    if (label.model || label.type == SecLabelType::static_ ||
        (label.type == SecLabelType::dynamic && label.baselabel))
        return; // the checks refuse what has to name its model
    label.model = model;
    if (mandatory || label.type == SecLabelType::none) return;
    label.type = SecLabelType::none;
    label.relabel.reset();
}

} // namespace

std::size_t random_bytes_needed(const Domain& domain) {
    return 32 + 3 * devices_of<Interface>(domain).size();
}

Result<> complete_domain(Domain& domain, const QemuCaps* caps, const QemuConf& conf, const HostFacts& facts,
                         std::span<const std::uint8_t> random, Completion how) {
    Random bytes(random);
    TRY(check_kind(domain, caps, facts));
    if (!domain.os.type.arch) domain.os.type.arch = caps ? caps->arch : facts.arch;
    if (!domain.devices.emulator)
        domain.devices.emulator =
            caps && !caps->emulator.empty() ? caps->emulator : default_emulator(*domain.os.type.arch);
    const auto origin = how == Completion::define ? Origin::fresh : Origin::stored;
    add_defaults(domain, origin);
    complete_seclabels(domain, conf, facts);
    if (caps) TRY(complete_machine(domain, *caps));
    if (!domain.uuid) domain.uuid = random_uuid(bytes.take<16>());
    if (domain.genid && !domain.genid->uuid) domain.genid->uuid = random_uuid(bytes.take<16>());
    complete_cpu(domain, caps);
    complete_macs(domain, bytes);
    add_implicit_devices(domain, conf, facts);
    number_controllers(domain);
    order_controllers(domain);
    if (caps) add_machine_controllers(domain, *caps);
    complete_devices(domain, caps, conf, how == Completion::live);
    forget_empty_sources(domain);
    if (how != Completion::live) TRY(check_domain(domain, origin));
    TRY(check_pci_controllers(domain, caps));
    if (caps) {
        TRY(assign_bus_addresses(domain, *caps, how == Completion::define));
        complete_devices(domain, caps, conf, how == Completion::live); // those that the addresses added
        forget_empty_sources(domain);
        TRY(assign_pci_addresses(domain, *caps));
    }
    TRY(check_domain(domain, caps, conf, facts));
    TRY(check_cpu(domain, caps));
    return check_devices(domain, caps, conf);
}

Result<> complete_device(Device& device, Domain& domain, const QemuCaps& caps, const QemuConf& conf,
                         const HostFacts&, std::span<const std::uint8_t> random) {
    Random bytes(random);
    if (auto* i = std::get_if<Interface>(&device); i && !i->mac) {
        const auto tail = bytes.take<3>();
        i->mac = InterfaceMac{.address = Mac{{0x52, 0x54, 0x00, tail[0], tail[1], tail[2]}}};
    }
    const CompleteContext context{
        domain, &caps, conf,
        static_cast<unsigned>(std::ranges::count(domain.devices.list, device.index(), &Device::index))};
    std::visit(
        [&]<class D>(D& d) {
            if constexpr (!std::is_same_v<D, UnmodelledDevice>) complete(d, context);
        },
        device);
    // drive and port addresses are given as if the device had been there from the start
    auto with = domain;
    with.devices.list.push_back(device);
    TRY(assign_bus_addresses(with, caps));
    complete_devices(with, &caps, conf, false);
    for (const auto& d : with.devices.list)
        if (d.index() == device.index() &&
            std::ranges::find(domain.devices.list, d) == domain.devices.list.end()) {
            device = d;
            break;
        }
    for (const auto& d : with.devices.list) {
        const auto* c = std::get_if<Controller>(&d);
        if (!c || std::holds_alternative<Controller>(device)) continue;
        const bool there =
            std::ranges::any_of(devices_of<Controller>(std::as_const(domain)),
                                [&](const auto* o) { return o->type == c->type && o->index == c->index; });
        if (there) continue;
        Device added(*c);
        TRY(assign_pci_address(added, domain, caps));
        domain.devices.list.push_back(std::move(added));
    }
    if (pci_class(device, domain) != PciClass::none) TRY(assign_pci_address(device, domain, caps));
    const CompleteContext final_context{domain, &caps, conf, context.index};
    return std::visit(
        [&]<class D>(const D& d) -> Result<> {
            if constexpr (!std::is_same_v<D, UnmodelledDevice>)
                return check(d, final_context);
            else
                return {};
        },
        device);
}

} // namespace cloister
