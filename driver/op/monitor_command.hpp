/// The operation that lets an administrator talk to QEMU's monitor.
#pragma once

#include "conf/call/qemu.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Sends one command: JSON, or with flag 1 a line for people. The answer is QEMU's. The guest is tainted
/// (custom-monitor): what the command did is not ours to know. Errors: invalid_arg for what is no command.
struct QemuDomainMonitorCommand {
    using In = call::QemuDomainMonitorCommandIn;
    using Out = call::QemuDomainMonitorCommandOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
