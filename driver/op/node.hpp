/// Operations about the host's processors and memory.
#pragma once

#include "conf/call/node.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

struct NodeGetInfo {
    using In = call::Nothing;
    using Out = call::NodeGetInfoOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Bytes of each cell from `start_cell` on. Errors: internal for a cell that is not there.
struct NodeGetCellsFreeMemory {
    using In = call::NodeGetCellsFreeMemoryIn;
    using Out = call::NodeGetCellsFreeMemoryOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Bytes.
struct NodeGetFreeMemory {
    using In = call::Nothing;
    using Out = call::NodeGetFreeMemoryOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The model that confines guests first, or "none".
struct NodeGetSecurityModel {
    using In = call::Nothing;
    using Out = call::NodeGetSecurityModelOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Nanoseconds; cpu -1: all. Errors: invalid_arg.
struct NodeGetCpuStats {
    using In = call::NodeGetCpuStatsIn;
    using Out = call::NodeGetCpuStatsOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// KiB; cell -1: all. Errors: invalid_arg.
struct NodeGetMemoryStats {
    using In = call::NodeGetMemoryStatsIn;
    using Out = call::NodeGetMemoryStatsOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The kernel's samepage merging.
struct NodeGetMemoryParameters {
    using In = call::NodeGetMemoryParametersIn;
    using Out = call::NodeGetMemoryParametersOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct NodeGetCpuMap {
    using In = call::NodeGetCpuMapIn;
    using Out = call::NodeGetCpuMapOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// For each cell, free pages of each size (KiB); cell -1: the whole host. Errors: internal, operation_failed.
struct NodeGetFreePages {
    using In = call::NodeGetFreePagesIn;
    using Out = call::NodeGetFreePagesOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: operation_unsupported: encrypted guests are not served.
struct NodeGetSevInfo {
    using In = call::NodeGetSevInfoIn;
    using Out = call::NodeGetSevInfoOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
