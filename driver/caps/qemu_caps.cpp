#include "driver/caps/qemu_caps.hpp"

namespace cloister {

bool QemuCaps::has_property(std::string_view type, std::string_view property) const {
    const auto found = properties.find(type);
    return found != properties.end() && found->second.contains(property);
}
bool QemuCaps::has_option(std::string_view option, std::string_view parameter) const {
    const auto found = options.find(option);
    return found != options.end() && (parameter.empty() || found->second.contains(parameter));
}
const QemuMachine* QemuCaps::machine(std::string_view name) const {
    for (const auto& m : machines)
        if (m.name == name || m.alias == name) return &m;
    return nullptr;
}
const QemuMachine* QemuCaps::default_machine() const {
    for (const auto& m : machines)
        if (m.is_default) return &m;
    return machines.empty() ? nullptr : &machines.front();
}

} // namespace cloister
