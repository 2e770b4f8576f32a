#include "conf/domain/devices.hpp"

namespace cloister {

DeviceInfo* info_of(Device& device) {
    return std::visit(
        [](auto& d) -> DeviceInfo* {
            if constexpr (requires { d.info.address; })
                return &d.info;
            else
                return nullptr;
        },
        device);
}
const DeviceInfo* info_of(const Device& device) { return info_of(const_cast<Device&>(device)); }

std::string_view element_of(const Device& device) {
    return std::visit(
        []<class D>(const D& d) -> std::string_view {
            if constexpr (std::is_same_v<D, UnmodelledDevice>)
                return d.node.name;
            else
                return element<D>;
        },
        device);
}

std::string_view alias_of(const Device& device) {
    const auto* info = info_of(device);
    return info && info->alias ? std::string_view(info->alias->name) : std::string_view{};
}

} // namespace cloister
