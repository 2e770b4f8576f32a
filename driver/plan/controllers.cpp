#include "driver/plan/controllers.hpp"

#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"

#include <algorithm>

namespace cloister {

namespace {

std::uint32_t index_of(const Controller& c) { return c.index ? c.index->value : 0; }

bool has(const Domain& domain, ControllerType type) {
    return std::ranges::any_of(devices_of<Controller>(domain),
                               [&](const auto* c) { return c->type == type; });
}

std::string usb_model(const Domain& domain, const QemuCaps& caps) {
    if (is_q35(domain)) {
        if (caps.has_type("qemu-xhci")) return "qemu-xhci";
        if (caps.has_type("nec-usb-xhci")) return "nec-xhci";
        return "ich9-ehci1";
    }
    return "piix3-uhci";
}

} // namespace

void insert_controller(Domain& domain, Controller controller) {
    auto& list = domain.devices.list;
    auto at = list.end();
    bool found = false;
    for (auto i = list.begin(); i != list.end(); ++i) {
        const auto* c = std::get_if<Controller>(&*i);
        if (!c || c->type != controller.type) continue;
        const bool later = index_of(*c) > index_of(controller) ||
                           (index_of(*c) == index_of(controller) && !controller.master && c->master);
        if (later) {
            if (!found || at == list.end()) at = i;
            found = true;
            break;
        }
        at = std::next(i);
        found = true;
    }
    list.insert(at, Device(std::move(controller)));
}

void order_controllers(Domain& domain) {
    std::vector<Controller> controllers;
    std::erase_if(domain.devices.list, [&](Device& d) {
        auto* c = std::get_if<Controller>(&d);
        if (c) controllers.push_back(std::move(*c));
        return c != nullptr;
    });
    for (auto& c : controllers) insert_controller(domain, std::move(c));
}

void number_controllers(Domain& domain) {
    const auto all = devices_of<Controller>(domain);
    const auto used = [&](ControllerType type, std::uint32_t index) {
        return std::ranges::any_of(
            all, [&](const auto* c) { return c->type == type && c->index && c->index->value == index; });
    };
    const auto unused = [&](ControllerType type) {
        std::uint32_t index = 0;
        while (used(type, index)) ++index;
        return index;
    };
    // the sets of ICH9 USB controllers share an index: a companion joins the last set that lacks it
    const auto ich9_index = [&](const std::string& model) -> std::optional<std::uint32_t> {
        std::optional<std::uint32_t> last;
        for (const auto* c : all)
            if (c->type == ControllerType::usb && c->index && c->model && c->model->starts_with("ich9-"))
                last = std::max(last.value_or(0), c->index->value);
        if (!last) return std::nullopt;
        for (const auto* c : all)
            if (c->type == ControllerType::usb && c->index && c->index->value == *last && c->model == model)
                return std::nullopt;
        return last;
    };
    for (auto* c : all) {
        if (!c->type) continue;
        const bool ich9 = c->type == ControllerType::usb && c->model && c->model->starts_with("ich9-");
        if (!c->index) {
            const auto joined = ich9 ? ich9_index(*c->model) : std::nullopt;
            c->index = xml::Decimal{joined.value_or(unused(*c->type))};
        }
        if (!ich9 || c->master) continue;
        if (c->model == "ich9-uhci1") c->master = ControllerMaster{.startport = 0};
        if (c->model == "ich9-uhci2") c->master = ControllerMaster{.startport = 2};
        if (c->model == "ich9-uhci3") c->master = ControllerMaster{.startport = 4};
    }
}

void add_machine_controllers(Domain& domain, const QemuCaps& caps) {
    const bool q35 = is_q35(domain);
    if (!q35 && !is_i440fx(domain)) return;
    if (!has(domain, ControllerType::usb))
        insert_controller(
            domain,
            {.type = ControllerType::usb, .index = xml::Decimal{0}, .model = usb_model(domain, caps)});
    for (auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::usb && !c->model) c->model = usb_model(domain, caps);
    if (q35) need_controller(domain, ControllerType::sata, 0);
    for (auto* c : devices_of<Controller>(domain))
        if (c->type == ControllerType::pci && index_of(*c) == 0) {
            if (!c->model) c->model = q35 ? "pcie-root" : "pci-root";
            return;
        }
    insert_controller(
        domain,
        {.type = ControllerType::pci, .index = xml::Decimal{0}, .model = q35 ? "pcie-root" : "pci-root"});
}

Controller& need_controller(Domain& domain, ControllerType type, std::uint32_t index) {
    for (auto* c : devices_of<Controller>(domain))
        if (c->type == type && index_of(*c) == index) return *c;
    insert_controller(domain, {.type = type, .index = xml::Decimal{index}});
    for (auto* c : devices_of<Controller>(domain))
        if (c->type == type && index_of(*c) == index) return *c;
    std::unreachable();
}

} // namespace cloister
