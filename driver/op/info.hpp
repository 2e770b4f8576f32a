/// Operations that read what a domain is and does. None waits for a job or for QEMU.
#pragma once

#include "conf/call/domain.hpp"
#include "conf/call/domain_job.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// State and reason, as virDomainState and its reasons number them.
struct DomainGetState {
    using In = call::DomainGetStateIn;
    using Out = call::DomainGetStateOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Memory in KiB (the balloon's present size), virtual CPUs, CPU time in ns.
struct DomainGetInfo {
    using In = call::DomainGetInfoIn;
    using Out = call::DomainGetInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// "hvm".
struct DomainGetOsType {
    using In = call::DomainGetOsTypeIn;
    using Out = call::DomainGetOsTypeOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainIsActive {
    using In = call::DomainIsActiveIn;
    using Out = call::DomainIsActiveOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainIsPersistent {
    using In = call::DomainIsPersistentIn;
    using Out = call::DomainIsPersistentOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Whether the definition was changed since the domain was started.
struct DomainIsUpdated {
    using In = call::DomainIsUpdatedIn;
    using Out = call::DomainIsUpdatedOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// What QEMU's monitor is busy with: 0 idle, 1 a job of ours, 3 it cannot be reached; and since when, in ms.
struct DomainGetControlInfo {
    using In = call::DomainGetControlInfoIn;
    using Out = call::DomainGetControlInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Taints (flag 2) and uses of deprecated things (flag 1), as sentences; 0: both.
struct DomainGetMessages {
    using In = call::DomainGetMessagesIn;
    using Out = call::DomainGetMessagesOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The SELinux label of the guest; empty when it does not run, or without SELinux.
struct DomainGetSecurityLabel {
    using In = call::DomainGetSecurityLabelIn;
    using Out = call::DomainGetSecurityLabelOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// One label for each model.
struct DomainGetSecurityLabelList {
    using In = call::DomainGetSecurityLabelListIn;
    using Out = call::DomainGetSecurityLabelListOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// No long job exists in this version: type 0 (none), all numbers 0.
struct DomainGetJobInfo {
    using In = call::DomainGetJobInfoIn;
    using Out = call::DomainGetJobInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: completed 1, keep completed 2.
struct DomainGetJobStats {
    using In = call::DomainGetJobStatsIn;
    using Out = call::DomainGetJobStatsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: operation_invalid, there is no job to abort.
struct DomainAbortJob {
    using In = call::DomainAbortJobIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainAbortJobFlags {
    using In = call::DomainAbortJobFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
