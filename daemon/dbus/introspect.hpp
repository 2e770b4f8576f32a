/// The description of an object for whoever asks it what it can do, and for data/dbus. Pure.
#pragma once

#include "daemon/dbus/method.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister::dbus {

/// The complete types of a signature, one by one: "sa{sv}u" -> "s", "a{sv}", "u".
std::vector<std::string> types_in(std::string_view signature);

/// One <interface>, indented by two blanks.
std::string described(const Interface& interface);
/// A whole document: the node's own interfaces and the names of its children.
std::string described(const std::vector<const Interface*>& interfaces,
                      const std::vector<std::string>& children, std::string_view node = {});

} // namespace cloister::dbus
