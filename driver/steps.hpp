/// The steps of a start and of a stop on the driver's side: their names in errors, and where a test lets one
/// fail (see security/kernel/fault.hpp). The launch's own steps are LaunchStep.
#pragma once

#include "conf/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

enum class StartStep {
    reserve, ///< id, ports, names
    probe,   ///< what QEMU can do
    facts,   ///< looking at the host
    live,    ///< the live definition
    plan,
    folders,
    journal, ///< the undo journal exists
    log_header,
    process_record, ///< who QEMU will be is in the journal
    pid_file,
    monitor, ///< connected and greeted
    query_status,
    query_chardev,
    query_cpus,
    pins,
    commands, ///< passwords, links: what the plan has for the monitor
    balloon,
    verify,
    gate,   ///< nobody let it run meanwhile
    status, ///< a restarted daemon can take it over
    runs,   ///< what was made anew for it stays, from here on
    cont,
    event
};
std::string_view text(StartStep step);

enum class StopStep {
    terminate, ///< SIGTERM is sent
    wait,      ///< the process has ended
    monitor,   ///< closed
    log_line,
    status_file,
    pid_file,
    journal,
    reserved, ///< ports and names are free
    event
};
std::string_view text(StopStep step);

/// An error that says at which step of the start it happened: the work's own, or the one that a test asked
/// for.
Result<> at_step(StartStep step, Result<> done);
template <class T> Result<T> at_step(StartStep step, Result<T> done) {
    auto reached = at_step(step, done ? Result<>{} : Result<>(std::unexpected(std::move(done).error())));
    if (!reached) return std::unexpected(std::move(reached).error());
    return done;
}
Result<> at_step(StopStep step, Result<> done = {});

/// Every step that `--fault` can name, in the order in which they are reached: of a start, then of a stop.
std::vector<std::string> fault_steps();
/// Does what `--fault STEP:fault` or `STEP:kill` asks for. Errors: invalid_arg for a step that there is not.
Result<> arm_fault(const std::string& request);

} // namespace cloister
