#include "security/kernel/fault.hpp"

#include "conf/base/tr.hpp"

#include <csignal>
#include <mutex>
#include <unistd.h>

namespace cloister::fault {

std::atomic<bool> armed{false};

namespace {

/// Steps are reached on the reactor and on workers.
std::mutex guard;
std::string wanted;
Kind wanted_kind{};

} // namespace

void arm(std::string step, Kind kind) {
    const std::scoped_lock lock(guard);
    wanted = std::move(step);
    wanted_kind = kind;
    armed = true;
}

void disarm() { armed = false; }

Result<> asked_for(std::string_view phase, std::string_view name) {
    const std::scoped_lock lock(guard);
    const auto step = std::string(phase) + ":" + std::string(name);
    if (!armed || step != wanted) return {};
    armed = false; // once: taking back goes through the same steps
    if (wanted_kind == Kind::kill) {
        (void)::kill(::getpid(), SIGKILL); // cannot fail: it is us
        for (;;) ::pause();                // another thread may be the one that takes the signal
    }
    return fail(Code::operation_failed, tr("a fault was asked for at step '{0}'", step));
}

} // namespace cloister::fault
