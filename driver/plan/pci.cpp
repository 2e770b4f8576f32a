#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/plan/address.hpp"
#include "driver/plan/controllers.hpp"
#include "driver/plan/pci_class.hpp"

#include <algorithm>

namespace cloister {

namespace {

std::uint32_t index_of(const Controller& c) { return c.index ? c.index->value : 0; }

bool is_ich9_usb(const Controller& c) {
    return c.type == ControllerType::usb && c.model && c.model->starts_with("ich9-");
}
/// The function of an ICH9 USB controller within its set's slot.
std::uint32_t ich9_function(const Controller& c) {
    if (c.model == "ich9-uhci1") return 0;
    if (c.model == "ich9-uhci2") return 1;
    if (c.model == "ich9-uhci3") return 2;
    return 7;
}

PciPlace place_of(const PciAddress& a) {
    return {.domain = a.domain ? a.domain->value : 0,
            .bus = a.bus ? a.bus->value : 0,
            .slot = a.slot ? a.slot->value : 0,
            .function = a.function ? a.function->value : 0};
}
void set_place(DeviceInfo& info, const PciPlace& p, std::optional<Switch> multifunction = std::nullopt) {
    PciAddress a{.domain = xml::Hex<4>{p.domain},
                 .bus = xml::Hex<2>{p.bus},
                 .slot = xml::Hex<2>{p.slot},
                 .function = xml::Hex<1>{p.function},
                 .multifunction = multifunction};
    if (info.address)
        info.address->where = a;
    else
        info.address = Address{.where = a};
}
/// True when the device is to be given an address.
bool wants(const DeviceInfo& info) {
    if (!info.address || std::holds_alternative<std::monostate>(info.address->where)) return true;
    const auto* pci = address_of<PciAddress>(info);
    // an all-zero address stands for "choose one"
    return pci && !pci->multifunction && place_of(*pci) == PciPlace{};
}
bool has_pci(const DeviceInfo& info) { return address_of<PciAddress>(info) && !wants(info); }

/// One walk over all devices: on a scratch copy to learn which buses are missing, then for good.
class Walk {
public:
    /// `grow`: buses that are missing are added. `spare`: and one port more than needed.
    Walk(Domain& domain, bool grow, bool spare)
        : domain_(domain), buses_(is_q35(domain)), grow_(grow), spare_(spare) {
        for (const auto* c : devices_of<Controller>(domain))
            if (c->type == ControllerType::pci) {
                buses_.set(index_of(*c), c->model.value_or(""));
                most_ = std::max(most_, index_of(*c));
            }
        if (grow && !is_q35(domain))
            for (std::uint32_t i = 1; i < most_; ++i)
                if (!buses_.has(i)) buses_.set(i, "pci-bridge");
    }

    Result<> run() {
        TRY(take_explicit());
        TRY(is_q35(domain_) ? q35_chipset() : pc_chipset());
        TRY(assign_all());
        // room for one device that comes later
        if (spare_ && buses_.count() > 1 && is_q35(domain_)) (void)buses_.next(PciClass::express, true);
        return {};
    }
    const PciBuses& buses() const { return buses_; }
    std::uint32_t most() const { return most_; }

private:
    Result<> take_explicit() {
        for (const auto& device : domain_.devices.list) {
            const auto* info = info_of(device);
            if (!info || !has_pci(*info) || std::holds_alternative<Console>(device))
                continue; // a console is its serial port
            auto kind = pci_class(device, domain_);
            if (kind == PciClass::none) kind = PciClass::conventional;
            const auto place = place_of(*address_of<PciAddress>(*info));
            while (grow_ && place.bus >= buses_.count() && place.bus < 256) grow_towards(place.bus, kind);
            TRY(buses_.take(place, kind, false));
        }
        return {};
    }
    void grow_towards(std::uint32_t wanted, PciClass kind) {
        const auto next = buses_.count();
        if (!is_q35(domain_))
            buses_.set(next, "pci-bridge");
        else
            buses_.set(next, kind == PciClass::conventional && next == wanted ? "pcie-to-pci-bridge"
                                                                              : "pcie-root-port");
    }

    Result<> fix(DeviceInfo& info, const PciPlace& place, PciClass kind,
                 std::optional<Switch> multifunction = std::nullopt) {
        TRY(buses_.take(place, kind, false));
        set_place(info, place, multifunction);
        return {};
    }
    /// The first card of a machine that shows something has a slot that firmware expects.
    Result<> primary_video(std::uint32_t slot) {
        const auto videos = devices_of<Video>(domain_);
        if (videos.empty()) return {};
        auto& video = *videos.front();
        if (pci_class(Device(video), domain_) == PciClass::none || !wants(video.info)) return {};
        if (!buses_.slot_is_free(0, slot)) return {};
        return fix(video.info, {.slot = slot},
                   is_q35(domain_) ? PciClass::integrated : PciClass::conventional);
    }

    Result<> pc_chipset() {
        for (auto* c : devices_of<Controller>(domain_)) {
            if (!wants(c->info)) continue;
            if (c->type == ControllerType::ide && index_of(*c) == 0)
                set_place(c->info, {.slot = 1, .function = 1});
            else if (c->type == ControllerType::usb && index_of(*c) == 0 &&
                     (!c->model || c->model == "piix3-uhci"))
                set_place(c->info, {.slot = 1, .function = 2});
        }
        buses_.reserve(0, 0, 0xff);
        buses_.reserve(0, 1, 0xff); // ISA bridge, IDE, USB, power management
        return primary_video(2);
    }

    Result<> q35_chipset() {
        buses_.reserve(0, 0, 0xff);
        buses_.reserve(0, 0x1f, 0b0000'1101); // LPC, SATA, SMBus
        for (auto* c : devices_of<Controller>(domain_)) {
            if (!wants(c->info)) continue;
            if (c->type == ControllerType::sata && index_of(*c) == 0)
                set_place(c->info, {.slot = 0x1f, .function = 2});
            else if (c->type == ControllerType::pci && c->model == "dmi-to-pci-bridge" &&
                     buses_.slot_is_free(0, 0x1e))
                TRY(fix(c->info, {.slot = 0x1e}, PciClass::dmi_bridge));
            else if (is_ich9_usb(*c))
                TRY(q35_usb(*c));
        }
        for (auto* sound : devices_of<Sound>(domain_))
            if ((sound->model == SoundModel::ich9 || sound->model == SoundModel::ich6) &&
                wants(sound->info) && sound->model == SoundModel::ich9 && buses_.slot_is_free(0, 0x1b)) {
                TRY(fix(sound->info, {.slot = 0x1b}, PciClass::integrated));
                break;
            }
        return primary_video(1);
    }
    /// The chipset's USB sets are at 1d and 1a.
    Result<> q35_usb(Controller& c) {
        const auto function = ich9_function(c);
        for (const std::uint32_t slot : {0x1du, 0x1au}) {
            const bool ours = usb_slot_[slot == 0x1d ? 0 : 1] == index_of(c);
            if (!ours && !buses_.slot_is_free(0, slot)) continue;
            if (!buses_.is_free({.slot = slot, .function = function})) continue;
            usb_slot_[slot == 0x1d ? 0 : 1] = index_of(c);
            return fix(c.info, {.slot = slot, .function = function}, PciClass::integrated,
                       function == 0 ? std::optional(Switch::on) : std::nullopt);
        }
        return {};
    }

    Result<> give(Device& device) {
        auto* info = info_of(device);
        if (!info || !wants(*info)) return {};
        const auto kind = pci_class(device, domain_);
        if (kind == PciClass::none) return {};
        set_place(*info, TRY(buses_.next(kind, grow_)));
        return {};
    }
    template <class D, class Which> Result<> give_each(Which&& which) {
        for (auto& device : domain_.devices.list)
            if (const auto* d = std::get_if<D>(&device); d && which(*d)) TRY(give(device));
        return {};
    }
    template <class D> Result<> give_each() {
        return give_each<D>([](const D&) { return true; });
    }
    /// The four functions of one USB 2 controller share a slot.
    Result<> give_usb(Device& device) {
        auto& c = std::get<Controller>(device);
        if (!wants(c.info)) return {};
        if (!is_ich9_usb(c)) return give(device);
        const auto function = ich9_function(c);
        for (const auto* other : devices_of<Controller>(std::as_const(domain_))) {
            if (!is_ich9_usb(*other) || index_of(*other) != index_of(c) || !has_pci(other->info)) continue;
            auto place = place_of(*address_of<PciAddress>(other->info));
            place.function = function;
            buses_.reserve(place.bus, place.slot, static_cast<std::uint8_t>(1u << function));
            set_place(c.info, place, function == 0 ? std::optional(Switch::on) : std::nullopt);
            return {};
        }
        auto place = TRY(buses_.next(PciClass::conventional, grow_));
        place.function = function;
        set_place(c.info, place, function == 0 ? std::optional(Switch::on) : std::nullopt);
        return {};
    }

    Result<> assign_all() {
        TRY(give_each<Controller>([](const Controller& c) { return c.type == ControllerType::pci; }));
        TRY(give_each<Filesystem>());
        TRY(give_each<Interface>());
        TRY(give_each<Sound>());
        for (auto& device : domain_.devices.list) {
            const auto* c = std::get_if<Controller>(&device);
            if (!c || c->type == ControllerType::pci || is_builtin(domain_, *c)) continue;
            TRY(c->type == ControllerType::usb ? give_usb(device) : give(device));
        }
        TRY(give_each<Disk>());
        TRY(give_each<Hostdev>());
        TRY(give_each<Memballoon>());
        TRY(give_each<Rng>());
        TRY(give_each<Watchdog>());
        TRY(give_each<Video>());
        TRY(give_each<Shmem>());
        TRY(give_each<Input>());
        TRY(give_each<Panic>());
        TRY(give_each<Serial>());
        TRY(give_each<Iommu>());
        TRY(give_each<Vsock>());
        TRY(give_each<MemoryModule>());
        return give_each<Crypto>();
    }

    Domain& domain_;
    PciBuses buses_;
    bool grow_, spare_;
    std::uint32_t most_ = 0;
    std::array<std::optional<std::uint32_t>, 2> usb_slot_{};
};

/// Function 0 of a slot must say that there are more.
void mark_multifunction(Domain& domain) {
    for (auto& device : domain.devices.list) {
        auto* info = info_of(device);
        auto* mine = info ? address_of<PciAddress>(*info) : nullptr;
        if (!mine || place_of(*mine).function != 0 || mine->multifunction) continue;
        const auto* port = std::get_if<Controller>(&device);
        if (!port || port->type != ControllerType::pci) continue;
        for (const auto& other : domain.devices.list) {
            const auto* info2 = info_of(other);
            const auto* theirs = info2 ? address_of<PciAddress>(*info2) : nullptr;
            if (theirs && theirs != mine && place_of(*theirs).function != 0 &&
                place_of(*theirs).bus == place_of(*mine).bus &&
                place_of(*theirs).slot == place_of(*mine).slot) {
                mine->multifunction = Switch::on;
                break;
            }
        }
    }
}

const char* default_model_name(std::string_view model) {
    if (model == "pci-bridge") return "pci-bridge";
    if (model == "dmi-to-pci-bridge") return "i82801b11-bridge";
    if (model == "pcie-to-pci-bridge") return "pcie-pci-bridge";
    if (model == "pcie-root-port") return "pcie-root-port";
    if (model == "pcie-switch-upstream-port") return "x3130-upstream";
    if (model == "pcie-switch-downstream-port") return "xio3130-downstream";
    if (model == "pci-expander-bus") return "pxb";
    if (model == "pcie-expander-bus") return "pxb-pcie";
    return nullptr;
}

/// Expander buses count down from the top of the bus numbers, leaving room above each for its children.
std::uint32_t free_bus_number(const Domain& domain) {
    std::uint32_t lowest = 256;
    for (const auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::pci && c->target && c->target->bus_nr)
            lowest = std::min(lowest, c->target->bus_nr->value);
    return lowest - 2;
}

void fill_port(Controller& c, const Domain& domain) {
    const auto model = c.model.value_or("");
    const auto* name = default_model_name(model);
    if (!name) return;
    if (!c.model_name) c.model_name.emplace();
    if (!c.model_name->name) c.model_name->name = name;
    if (model == "dmi-to-pci-bridge" || model == "pcie-to-pci-bridge" || model == "pcie-switch-upstream-port")
        return;
    if (!c.target) c.target.emplace();
    auto& target = *c.target;
    if (model == "pci-bridge") {
        if (!target.chassis_nr) target.chassis_nr = xml::Decimal{index_of(c)};
    } else if (model == "pci-expander-bus" || model == "pcie-expander-bus") {
        if (!target.bus_nr) target.bus_nr = xml::Decimal{free_bus_number(domain)};
    } else {
        if (!target.chassis) target.chassis = xml::Decimal{index_of(c)};
        if (const auto* pci = address_of<PciAddress>(c.info); pci && !target.port) {
            const auto place = place_of(*pci);
            target.port =
                xml::Hex<1>{model == "pcie-root-port" ? (place.slot << 3) + place.function : place.slot};
        }
    }
}

/// Walks a copy, and adds the controllers that it turned out to need. False: none.
Result<bool> add_missing_buses(Domain& domain, bool spare) {
    auto scratch = domain;
    Walk rehearsal(scratch, true, spare);
    TRY(rehearsal.run());
    const auto& buses = rehearsal.buses();
    bool added = false;
    for (auto index = std::uint32_t{0}; index < buses.count(); ++index) {
        const bool there =
            std::ranges::any_of(devices_of<Controller>(std::as_const(domain)), [&](const auto* c) {
                return c->type == ControllerType::pci && index_of(*c) == index;
            });
        if (there || !buses.has(index)) continue;
        insert_controller(domain, Controller{.type = ControllerType::pci,
                                             .index = xml::Decimal{index},
                                             .model = buses.model(index)});
        added = true;
    }
    return added;
}

} // namespace

Result<> assign_pci_addresses(Domain& domain, const QemuCaps&) {
    const bool has_root =
        std::ranges::any_of(devices_of<Controller>(std::as_const(domain)), [](const auto* c) {
            return c->type == ControllerType::pci && (c->model == "pci-root" || c->model == "pcie-root");
        });
    if (!has_root) return {};
    const bool ours = // nobody but us manages the buses
        std::ranges::none_of(devices_of<Controller>(std::as_const(domain)), [](const auto* c) {
            return c->type == ControllerType::pci && index_of(*c) > 0;
        });
    // a bridge that is added takes a place itself, which may push another device out
    for (int round = 0; round < 8; ++round)
        if (!TRY(add_missing_buses(domain, false))) break;
    if (ours) (void)TRY(add_missing_buses(domain, true));
    Walk walk(domain, false, false);
    TRY(walk.run());
    mark_multifunction(domain);
    for (auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::pci) fill_port(*c, domain);
    return {};
}

Result<> assign_pci_address(Device& device, const Domain& domain, const QemuCaps&) {
    auto* info = info_of(device);
    const auto kind = pci_class(device, domain);
    if (!info || kind == PciClass::none) return {};
    PciBuses buses(is_q35(domain));
    for (const auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::pci) buses.set(index_of(*c), c->model.value_or(""));
    for (const auto& other : domain.devices.list)
        if (const auto* taken = info_of(other);
            taken && has_pci(*taken) && !std::holds_alternative<Console>(other)) {
            const auto place = place_of(*address_of<PciAddress>(*taken));
            buses.reserve(place.bus, place.slot, static_cast<std::uint8_t>(1u << place.function));
        }
    buses.reserve(0, 0, 0xff);
    if (is_q35(domain))
        buses.reserve(0, 0x1f, 0b0000'1101);
    else
        buses.reserve(0, 1, 0xff);
    if (!wants(*info)) return buses.take(place_of(*address_of<PciAddress>(*info)), kind, false);
    set_place(*info, TRY(buses.next(kind, false)));
    return {};
}

} // namespace cloister
