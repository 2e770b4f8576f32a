/// Which <audio> backend a device uses. Pure.
#pragma once

#include "driver/device/device.hpp"

namespace cloister {

/// The id that QEMU knows the backend by ("audio1"): of the one referred to, else of the first; nullopt when
/// the domain has none.
std::optional<std::string> audio_id(const Domain& domain, const std::optional<AudioRef>& wanted);
/// The type of the backend with this id; nullopt when there is none.
std::optional<AudioType> audio_type(const Domain& domain, std::uint32_t id);

} // namespace cloister
