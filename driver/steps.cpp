#include "driver/steps.hpp"

#include "conf/base/names.hpp"
#include "conf/base/tr.hpp"
#include "security/kernel/fault.hpp"
#include "security/kernel/launch.hpp"
#include "security/op_json.hpp"

#include <algorithm>

namespace cloister {

template <> inline constexpr auto names<StartStep> = make_names<StartStep>(
    {"reserve",       "probe",      "facts",          "live",     "plan",    "folders",
     "journal",       "log-header", "process-record", "pid-file", "monitor", "query-status",
     "query-chardev", "query-cpus", "pins",           "commands", "balloon", "verify",
     "gate",          "status",     "runs",           "cont",     "event"});
static_assert(names<StartStep>.covers(StartStep::event));
template <> inline constexpr auto names<StopStep> = make_names<StopStep>(
    {"terminate", "wait", "monitor", "log-line", "status-file", "pid-file", "journal", "reserved", "event"});
static_assert(names<StopStep>.covers(StopStep::event));

std::string_view text(StartStep step) { return names<StartStep>.text(step); }
std::string_view text(StopStep step) { return names<StopStep>.text(step); }

Result<> at_step(StartStep step, Result<> done) {
    if (done) done = fault::at("start", text(step));
    if (!done)
        return std::unexpected(std::move(done).error().during(tr("step '{0}' of the start", text(step))));
    return done;
}

Result<> at_step(StopStep step, Result<> done) {
    if (done) done = fault::at("stop", text(step));
    if (!done)
        return std::unexpected(std::move(done).error().during(tr("step '{0}' of the stop", text(step))));
    return done;
}

std::vector<std::string> fault_steps() {
    std::vector<std::string> out;
    const auto add = [&](std::string_view phase, std::string_view name) {
        out.push_back(std::string(phase) + ":" + std::string(name));
    };
    for (const auto& [step, name] : names<StartStep>.pairs) add("start", name);
    for (auto step = LaunchStep::look; step <= LaunchStep::exec;
         step = static_cast<LaunchStep>(static_cast<int>(step) + 1))
        add("launch", text(step));
    for (const auto* name : op_names) add("do", name);
    for (const auto& [step, name] : names<StopStep>.pairs) add("stop", name);
    for (const auto* name : op_names) add("undo", name);
    return out;
}

Result<> arm_fault(const std::string& request) {
    const auto colon = request.rfind(':');
    const auto step = request.substr(0, colon);
    const auto kind = colon == std::string::npos ? std::string() : request.substr(colon + 1);
    if (kind != "fault" && kind != "kill")
        return fail(Code::invalid_arg, tr("'{0}' is not STEP:fault or STEP:kill", request));
    const auto steps = fault_steps();
    if (std::ranges::find(steps, step) == steps.end())
        return fail(Code::invalid_arg, tr("there is no step '{0}'", step));
    fault::arm(step, kind == "kill" ? fault::Kind::kill : fault::Kind::fault);
    return {};
}

} // namespace cloister
