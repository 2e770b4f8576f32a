/// What must be unique or random, taken before planning, so that planning is a function.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct Reserved {
    int id = -1;
    std::vector<std::string> taps{}; ///< one per interface that needs a generated name, in order
    std::vector<std::uint16_t>
        display_ports{}; ///< one per auto port, in document order (spice: plain, then TLS)
    std::vector<std::uint16_t> websocket_ports{};
    std::vector<std::uint32_t> vsock_cids{};
    std::string mcs{};          ///< "c57,c903"
    bool machine_scope = false; ///< systemd-machined is there, and keeps the guest's groups in a scope
    std::vector<std::uint8_t> random{}; ///< consumed from the front: master key, generated addresses
    /// What the definition's <secret> elements name: "uuid:UUID" or "usage:TYPE:NAME" -> value.
    std::map<std::string, std::string> secrets{};
    std::optional<std::string> every_secret{}; ///< a dry run's answer for those that `secrets` lacks
    bool operator==(const Reserved&) const = default;
};

} // namespace cloister
