/// What QEMU answered to the probing questions, turned into QemuCaps. Pure.
#pragma once

#include "conf/base/result.hpp"
#include "driver/caps/qemu_caps.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// One command and its answer.
struct Exchange {
    std::string command{};
    boost::json::object arguments{};
    std::optional<boost::json::value> returned{}; ///< absent: QEMU refused
};
/// All that was asked of one run of QEMU.
using Conversation = std::vector<Exchange>;

/// What is asked of one run of QEMU. `whole`: everything; otherwise only what depends on the accelerator.
/// Types that QEMU 7.2 crashes on are not among them.
std::vector<Exchange> questions(bool whole);
/// What is asked next, from the answers to questions(): what the named CPU models consist of.
std::vector<Exchange> model_questions(const Conversation& so_far);

/// The capabilities from a whole conversation and, when that one ran with KVM, from a second one with TCG
/// alone (may be empty). A question that was not asked or was refused leaves its part empty. Errors: internal
/// when an answer that everything depends on (version, target, machines, types) is missing or has not the
/// documented shape.
Result<QemuCaps> decode(const Conversation& first, const Conversation& tcg_only, std::string emulator);

/// The same from a recorded conversation: JSON objects one after the other, each command followed by its
/// reply, a second run beginning with its own qmp_capabilities. `arch` replaces what the recording says;
/// empty: keeps it.
Result<QemuCaps> decode_recorded(std::string_view replies_text, std::string_view arch);

} // namespace cloister
