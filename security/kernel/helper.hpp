/// A process on its way through cloister-confine: QEMU, or a program beside it.
#pragma once

#include "conf/base/result.hpp"
#include "security/kernel/fd.hpp"
#include "security/kernel/process.hpp"
#include "security/script.hpp"
#include "security/tried.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

class ConfinedProcess {
public:
    static constexpr int own_namespace = -1;
    struct Request {
        std::string helper{};   ///< cloister-confine
        std::vector<int> fds{}; ///< as 0, 1, 2, 3 … in the program
        std::vector<std::string> groups{};
        std::string cgroup_v2{};
        std::chrono::milliseconds patience{30000};
        /// Not to execute a program, but to look at the paths in `argv` from within this mount namespace.
        std::optional<int> looks_in{};
    };
    /// Exists after this, and does nothing yet.
    static Result<ConfinedProcess> spawn(const Script& script, Request request);
    /// Lets it build its namespace; returns when that is done. Errors: the refusal, with its layer.
    Result<> go();
    /// Lets it drop everything and execute its program; returns when it did.
    Result<> exec();
    /// Of one that looks: what it found at its `count` paths, once it has become the guest.
    Result<std::vector<Tried>> look(std::size_t count);

    const ProcessId& id() const { return spawned_.id; }
    Fd& pidfd() { return spawned_.pidfd; }
    const Fd& pidfd() const { return spawned_.pidfd; }

private:
    Result<> say(char word);
    /// The answer; an empty one is the end of the socket.
    Result<std::string> answer();

    Spawned spawned_{};
    Fd control_{};
    std::string program_{};
    std::chrono::milliseconds patience_{};
};

} // namespace cloister
