/// Operations that start, stop and pause domains.
#pragma once

#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Starts a defined domain. Errors: operation_invalid "domain is already running"; what launch() says.
struct DomainCreate {
    using In = call::DomainCreateIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "start"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: paused 1, autodestroy 2, bypass cache 4, force boot 8, reset NVRAM 32.
struct DomainCreateWithFlags {
    using In = call::DomainCreateWithFlagsIn;
    using Out = call::DomainCreateWithFlagsOut;
    static constexpr std::array needs{Permission{"domain", "start"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Starts a domain from its text. One that is not stored yet is transient: gone when it stops.
struct DomainCreateXml {
    using In = call::DomainCreateXmlIn;
    using Out = call::DomainCreateXmlOut;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "start"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Ends a domain now. Never waits for another call on it.
struct DomainDestroy {
    using In = call::DomainDestroyIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "stop"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: graceful 1 (never SIGKILL), remove logs 2.
struct DomainDestroyFlags {
    using In = call::DomainDestroyFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "stop"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Asks the guest to power off.
struct DomainShutdown {
    using In = call::DomainShutdownIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "init_control"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: ACPI power button 1; guest agent 2 is refused, because no agent is spoken to.
struct DomainShutdownFlags {
    using In = call::DomainShutdownFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "init_control"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Asks the guest to power off and starts it again in the same QEMU. Flags as shutdown's.
struct DomainReboot {
    using In = call::DomainRebootIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "init_control"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The reset button.
struct DomainReset {
    using In = call::DomainResetIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "reset"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Stops the virtual CPUs.
struct DomainSuspend {
    using In = call::DomainSuspendIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "suspend"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainResume {
    using In = call::DomainResumeIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "suspend"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Wakes a guest that sleeps (ACPI S3).
struct DomainPmWakeup {
    using In = call::DomainPmWakeupIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "pm_control"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
