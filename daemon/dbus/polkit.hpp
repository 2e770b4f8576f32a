/// Asking polkit. Source: org.freedesktop.PolicyKit1.Authority, its reference manual.
#pragma once

#include "daemon/dbus/bus.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cloister::polkit {

/// A process. `start_time` was read when its connection was accepted: by then its pid is its own, later it
/// may be another's, and polkit compares.
struct ProcessSubject {
    std::uint32_t pid = 0;
    std::uint64_t start_time = 0; ///< clock ticks since boot
    std::uint32_t uid = 0;
};
/// Whoever has that unique name on the system bus (":1.5").
struct NameSubject {
    std::string name{};
};
using Subject = std::variant<ProcessSubject, NameSubject>;

enum class Verdict {
    authorized,
    refused,
    challenge, ///< somebody would have to authenticate, and that was not allowed or not possible
    no_service ///< there is no polkit, or no bus
};

/// Whether polkit may ask the user for a password meanwhile.
enum class Interaction { none, allowed };

/// What rules see: action.lookup(key).
using Details = std::vector<std::pair<std::string, std::string>>;

/// Field 22 of /proc/PID/stat. Errors: system when there is no such process.
Result<std::uint64_t> start_time(std::uint32_t pid);

/// Without interaction the answer comes within seconds; with it as soon as the user has answered, or after
/// five minutes. Cancelling the coroutine takes the question back. Errors: operation_timeout,
/// operation_aborted; dbus_service when polkit does not know the action.
dbus::Task<Result<Verdict>> check_authorization(std::shared_ptr<dbus::Bus> bus, Subject subject,
                                                std::string action, Details details,
                                                Interaction interaction = Interaction::none);

} // namespace cloister::polkit
