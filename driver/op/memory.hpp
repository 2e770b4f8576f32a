/// Operations on a domain's memory size and its balloon.
#pragma once

#include "conf/call/domain_memory.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// The most memory the domain may have, in KiB.
struct DomainGetMaxMemory {
    using In = call::DomainGetMaxMemoryIn;
    using Out = call::DomainGetMaxMemoryOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Of the definition; a running domain keeps what it started with. Errors: operation_invalid when active.
struct DomainSetMaxMemory {
    using In = call::DomainSetMaxMemoryIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The balloon's target in KiB. Errors: operation_invalid when it does not run.
struct DomainSetMemory {
    using In = call::DomainSetMemoryIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: affect live 1, affect config 2, maximum 4. Errors: invalid_arg above the maximum;
/// operation_invalid for the maximum of an active domain.
struct DomainSetMemoryFlags {
    using In = call::DomainSetMemoryFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// How often the guest reports its use of memory, in seconds; 0: not at all. Flags: affect live 1, affect
/// config 2. Errors: operation_invalid without a virtio balloon.
struct DomainSetMemoryStatsPeriod {
    using In = call::DomainSetMemoryStatsPeriodIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
