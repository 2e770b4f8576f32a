/// Operations on a domain's virtual CPUs: how many, where they run.
#pragma once

#include "conf/call/domain_vcpu.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// The most virtual CPUs: of the domain while it runs, else what its type of machine can have.
struct DomainGetMaxVcpus {
    using In = call::DomainGetMaxVcpusIn;
    using Out = call::DomainGetMaxVcpusOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: affect live 1, affect config 2, maximum 4.
struct DomainGetVcpusFlags {
    using In = call::DomainGetVcpusFlagsIn;
    using Out = call::DomainGetVcpusFlagsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// State, CPU time in ns and host CPU of each, and the host CPUs it may use. Errors: operation_invalid when
/// it does not run.
struct DomainGetVcpus {
    using In = call::DomainGetVcpusIn;
    using Out = call::DomainGetVcpusOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Of a running domain; as DomainSetVcpusFlags with affect live.
struct DomainSetVcpus {
    using In = call::DomainSetVcpusIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: affect live 1, affect config 2, maximum 4, hotpluggable 16. Live only more CPUs can be plugged.
/// Errors: invalid_arg above the maximum; operation_unsupported for unplugging.
struct DomainSetVcpusFlags {
    using In = call::DomainSetVcpusFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainPinVcpu {
    using In = call::DomainPinVcpuIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The host CPUs that one virtual CPU may use. Flags: affect live 1, affect config 2.
struct DomainPinVcpuFlags {
    using In = call::DomainPinVcpuFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainGetVcpuPinInfo {
    using In = call::DomainGetVcpuPinInfoIn;
    using Out = call::DomainGetVcpuPinInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainPinEmulator {
    using In = call::DomainPinEmulatorIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainGetEmulatorPinInfo {
    using In = call::DomainGetEmulatorPinInfoIn;
    using Out = call::DomainGetEmulatorPinInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
