#include "driver/facts/pci_config.hpp"

#include <cstdint>

namespace cloister {
namespace {

constexpr std::size_t first_capability = 0x34, first_extended = 0x100;
constexpr unsigned express = 0x10, downstream_port = 6, access_control = 0x0d;
/// source validation, request and completion redirect, upstream forwarding
constexpr unsigned keeping_apart = 0x01 | 0x04 | 0x08 | 0x10;

unsigned byte(std::string_view config, std::size_t at) {
    return at < config.size() ? static_cast<unsigned char>(config[at]) : 0;
}
unsigned word(std::string_view config, std::size_t at) {
    return byte(config, at) | byte(config, at + 1) << 8;
}

/// Where the capability begins; 0: it is not there. A list of a broken device may go round in circles.
std::size_t capability(std::string_view config, unsigned id) {
    auto at = static_cast<std::size_t>(byte(config, first_capability) & ~3u);
    for (int left = 48; at != 0 && left > 0; --left, at = byte(config, at + 1) & ~3u)
        if (byte(config, at) == id) return at;
    return 0;
}
std::size_t extended_capability(std::string_view config, unsigned id) {
    std::size_t at = first_extended;
    for (int left = 1024; at >= first_extended && at < config.size() && left > 0;
         --left, at = word(config, at + 2) >> 4)
        if (word(config, at) == id) return at;
    return 0;
}

} // namespace

bool is_switch_port_without_acs(std::string_view config) {
    const auto own = capability(config, express);
    if (own == 0 || (byte(config, own + 2) >> 4) != downstream_port) return false;
    const auto control = extended_capability(config, access_control);
    return control == 0 || (word(config, control + 6) & keeping_apart) != keeping_apart;
}

} // namespace cloister
