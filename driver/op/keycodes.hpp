/// Keys of a PC keyboard in the numbering of each code set. Pure.
/// Sources: linux/input-event-codes.h; USB HID usage tables 1.12, page 7; the scan codes of the PS/2
/// keyboard.
#pragma once

#include <cstdint>
#include <optional>

namespace cloister {

/// As virKeycodeSet numbers them.
enum class Codeset : std::uint32_t { linux_, xt, atset1, atset2, atset3, osx, xt_kbd, usb, win32, qnum };

/// The number by which QEMU's send-key knows the key: its XT scan code, with bit 7 for the keys that came
/// later. nullopt: no such key in this set.
std::optional<std::uint32_t> qemu_key_number(Codeset set, std::uint32_t code);

} // namespace cloister
