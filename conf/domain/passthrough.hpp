/// What the qemu: namespace carries past the model: arguments, environment, overrides.
/// Source: https://libvirt.org/drvqemu.html#pass-through-of-arbitrary-qemu-commands
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cloister {

inline constexpr const char* passthrough_ns = "http://libvirt.org/schemas/domain/qemu/1.0";

struct PassthroughEnv {
    std::string name{};
    std::optional<std::string> value{}; ///< absent: set, but empty
    bool operator==(const PassthroughEnv&) const = default;
};
enum class OverrideType { string, signed_, unsigned_, bool_, remove };
struct OverrideProperty {
    std::string name{};
    OverrideType type = OverrideType::string;
    std::optional<std::string> value{}; ///< absent: only for remove
    bool operator==(const OverrideProperty&) const = default;
};
/// Properties of the front end of the device with this alias, changed behind the model's back.
struct OverrideDevice {
    std::string alias{};
    std::vector<OverrideProperty> properties{};
    bool operator==(const OverrideDevice&) const = default;
};

struct Passthrough {
    std::vector<std::string> args{};    ///< one argv slot each, byte-exact
    std::vector<PassthroughEnv> envs{}; ///< a later one of the same name wins
    std::vector<std::string> capabilities_add{}, capabilities_del{};
    std::vector<OverrideDevice> overrides{};
    std::optional<std::string> deprecation{}; ///< behavior: "none", "omit", "reject", "crash"
    bool empty() const { return *this == Passthrough{}; }
    bool operator==(const Passthrough&) const = default;
};

} // namespace cloister
