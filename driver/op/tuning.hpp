/// What limits a domain: scheduler, memory, block I/O, NUMA, network, I/O threads. Only looks: of a running
/// guest the kernel and QEMU are asked, of a stored one its definition.
#pragma once

#include "conf/call/domain_block.hpp"
#include "conf/call/domain_guest.hpp"
#include "conf/call/domain_memory.hpp"
#include "conf/call/domain_vcpu.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Always "posix", with nine parameters.
struct DomainGetSchedulerType {
    using In = call::DomainGetSchedulerTypeIn;
    using Out = call::DomainGetSchedulerTypeOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainGetSchedulerParameters {
    using In = call::DomainGetSchedulerParametersIn;
    using Out = call::DomainGetSchedulerParametersOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags of all getters: affect live 1, affect config 2, texts welcome 4. Without a number of parameters
/// asked for they answer how many there are.
struct DomainGetSchedulerParametersFlags {
    using In = call::DomainGetSchedulerParametersFlagsIn;
    using Out = call::DomainGetSchedulerParametersFlagsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// KiB.
struct DomainGetMemoryParameters {
    using In = call::DomainGetMemoryParametersIn;
    using Out = call::DomainGetMemoryParametersOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The weight, and "PATH,VALUE,…" for what is set per device.
struct DomainGetBlkioParameters {
    using In = call::DomainGetBlkioParametersIn;
    using Out = call::DomainGetBlkioParametersOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Limits of one disk, by its target or path. Errors: invalid_arg for a disk that is not there.
struct DomainGetBlockIoTune {
    using In = call::DomainGetBlockIoTuneIn;
    using Out = call::DomainGetBlockIoTuneOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainGetNumaParameters {
    using In = call::DomainGetNumaParametersIn;
    using Out = call::DomainGetNumaParametersOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// KiB/s; burst in KiB. Errors: invalid_arg for a card that is not there.
struct DomainGetInterfaceParameters {
    using In = call::DomainGetInterfaceParametersIn;
    using Out = call::DomainGetInterfaceParametersOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Each I/O thread and the host CPUs that it may use.
struct DomainGetIothreadInfo {
    using In = call::DomainGetIothreadInfoIn;
    using Out = call::DomainGetIothreadInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainGetPerfEvents {
    using In = call::DomainGetPerfEventsIn;
    using Out = call::DomainGetPerfEventsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The disks that QEMU could not read or write: 1 an error, 2 no space. How many disks there are when none
/// are asked for. Errors: operation_invalid when it does not run.
struct DomainGetDiskErrors {
    using In = call::DomainGetDiskErrorsIn;
    using Out = call::DomainGetDiskErrorsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
