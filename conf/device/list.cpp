#include "conf/device/list.hpp"

namespace cloister {

Device::Device() = default;
Device::Device(const Device& other) = default;
Device::Device(Device&& other) noexcept = default;
Device& Device::operator=(const Device& other) = default;
Device& Device::operator=(Device&& other) noexcept = default;
Device::~Device() = default;

bool Device::operator==(const Device& other) const {
    return static_cast<const DeviceKinds&>(*this) == static_cast<const DeviceKinds&>(other);
}

} // namespace cloister
