/// The object paths of org.libvirt's objects. Source: measured on libvirt-dbus 1.4.1.
#pragma once

#include "conf/base/uuid.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace cloister::dbus {

/// A value of D-Bus type 'o'.
struct ObjectPath {
    std::string value{};
    bool operator==(const ObjectPath&) const = default;
};

inline constexpr std::string_view connect_path = "/org/libvirt/QEMU", cloister_path = "/org/cloister1",
                                  domain_folder = "/org/libvirt/QEMU/domain",
                                  snapshot_folder = "/org/libvirt/QEMU/domainsnapshot";

/// "/org/libvirt/QEMU/domain/_8c0b…" with underscores for the dashes of the uuid.
std::string domain_path(const Uuid& uuid);
std::string snapshot_path(const Uuid& domain, std::string_view name);

/// Which object of ours a path means. `uuid` is absent where the path has something else in its place.
struct Place {
    enum class Kind { none, connect, domains, domain, snapshots, snapshot, cloister } kind = Kind::none;
    std::optional<Uuid> uuid{};
    std::string snapshot{};
};
Place place_of(std::string_view path);

/// Any text as an element of a path, reversibly: what is no letter or digit becomes "_xx", its byte in hex.
std::string escaped_element(std::string_view text);
std::optional<std::string> unescaped_element(std::string_view element);

} // namespace cloister::dbus
