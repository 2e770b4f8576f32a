/// Processes: starting one without work between fork and exec, knowing it again, waiting for it, ending it.
#pragma once

#include "conf/base/result.hpp"
#include "security/kernel/fd.hpp"
#include "security/op.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

struct SpawnRequest {
    std::string program{};
    std::vector<std::string> argv{}, env{};
    std::vector<int> fds{};            ///< become 0, 1, 2 … in the new process; everything else is closed
    std::vector<std::string> groups{}; ///< absolute v1 cgroup folders that it is born in
    std::string cgroup_v2{};           ///< and the v2 one; empty: the caller's
    std::uint64_t namespaces = 0;      ///< CLONE_NEW…: those that it gets of its own
};
struct Spawned {
    ProcessId id{};
    Fd pidfd{};
};
/// One raw clone3 (shared memory, vfork) in a thread that entered the v1 groups first: the child is born in
/// all of them, at no cost. Errors: system.
Result<Spawned> spawn(const SpawnRequest& request);

/// Reads a process's start time and this boot's id. Errors: system (ESRCH when it is gone).
Result<ProcessId> identify(std::int32_t pid);
/// The pidfd of exactly that process; empty when it is gone (or the host was rebooted).
Fd open_process(const ProcessId& process);

/// How a process ended, as far as it can be known: only a child's status can be had.
struct ExitStatus {
    bool known = false;
    int code = 0;   ///< when it exited
    int signal = 0; ///< when a signal ended it: 31 is SIGSYS, a seccomp kill
};
/// Waits for the end, by pidfd; a child is reaped. Absent: still there after `patience`.
std::optional<ExitStatus> wait_exit(const Fd& pidfd, std::chrono::milliseconds patience);
/// Signal by pidfd; what is gone already is fine.
Result<> send_signal(const Fd& pidfd, int signal);

std::string boot_id();

} // namespace cloister
