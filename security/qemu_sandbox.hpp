/// What QEMU's own syscall filter forbids, by the words of its -sandbox option. Pure.
/// Source: QEMU 7.2, softmmu/qemu-seccomp.c and qemu-options.hx.
#pragma once

#include <string_view>

namespace cloister {

/// "spawn=deny" for clone, "on" for what every sandbox forbids; empty: QEMU's filter does not forbid it.
std::string_view sandbox_word(std::string_view syscall);

} // namespace cloister
