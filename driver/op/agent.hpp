/// Calls that the guest agent answers. Without one they are refused: argument_unsupported when the domain has
/// no channel for it, agent_unresponsive when nobody in the guest has it open.
#pragma once

#include "conf/call/domain.hpp"
#include "conf/call/domain_guest.hpp"
#include "conf/call/domain_vcpu.hpp"
#include "conf/call/qemu.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Any command, as the agent's JSON. Errors: as ask_agent_raw.
struct QemuDomainAgentCommand {
    using In = call::QemuDomainAgentCommandIn;
    using Out = call::QemuDomainAgentCommandOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// How long later calls wait: seconds, -2 as long as it takes, -1 five seconds. Errors: invalid_arg below -2.
struct DomainAgentSetResponseTimeout {
    using In = call::DomainAgentSetResponseTimeoutIn;
    using Out = call::DomainAgentSetResponseTimeoutOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: from leases 1, from the agent 2 (also without flags). Errors: no_hostname for leases: no network of
/// ours has any.
struct DomainGetHostname {
    using In = call::DomainGetHostnameIn;
    using Out = call::DomainGetHostnameOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The guest's clock.
struct DomainGetTime {
    using In = call::DomainGetTimeIn;
    using Out = call::DomainGetTimeOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: sync 1 takes the time from the guest's RTC.
struct DomainSetTime {
    using In = call::DomainSetTimeIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "set_time"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The number of file systems that are frozen now.
struct DomainFsfreeze {
    using In = call::DomainFsfreezeIn;
    using Out = call::DomainFsfreezeOut;
    static constexpr std::array needs{Permission{"domain", "fs_freeze"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainFsthaw {
    using In = call::DomainFsthawIn;
    using Out = call::DomainFsthawOut;
    static constexpr std::array needs{Permission{"domain", "fs_freeze"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainFstrim {
    using In = call::DomainFstrimIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "fs_trim"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// What is mounted in the guest, and on which disks (by their targets).
struct DomainGetFsinfo {
    using In = call::DomainGetFsinfoIn;
    using Out = call::DomainGetFsinfoOut;
    static constexpr std::array needs{Permission{"domain", "fs_freeze"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Source: leases 0 (none of ours), agent 1, ARP 2.
struct DomainInterfaceAddresses {
    using In = call::DomainInterfaceAddressesIn;
    using Out = call::DomainInterfaceAddressesOut;
    static constexpr std::array needs{Permission{"domain", "read"}, Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: encrypted 1.
struct DomainSetUserPassword {
    using In = call::DomainSetUserPasswordIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "set_password"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Bitmaps: those there are, online, and that can be taken offline.
struct DomainGetGuestVcpus {
    using In = call::DomainGetGuestVcpusIn;
    using Out = call::DomainGetGuestVcpusOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// State: 0 offline, 1 online.
struct DomainSetGuestVcpus {
    using In = call::DomainSetGuestVcpusIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Types: users 1, os 2, timezone 4, hostname 8. Errors: operation_unsupported for others.
struct DomainGetGuestInfo {
    using In = call::DomainGetGuestInfoIn;
    using Out = call::DomainGetGuestInfoOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainAuthorizedSshKeysGet {
    using In = call::DomainAuthorizedSshKeysGetIn;
    using Out = call::DomainAuthorizedSshKeysGetOut;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: append 1, remove 2; otherwise the keys replace those there are.
struct DomainAuthorizedSshKeysSet {
    using In = call::DomainAuthorizedSshKeysSetIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Target: memory 0, disk 1, both 2. Errors: invalid_arg with a duration.
struct DomainPmSuspendForDuration {
    using In = call::DomainPmSuspendForDurationIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "pm_control"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
