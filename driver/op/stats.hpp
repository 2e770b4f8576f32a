/// Operations that read what a domain has used: memory, disks, network; one domain or all of them.
#pragma once

#include "conf/call/connect.hpp"
#include "conf/call/domain_block.hpp"
#include "conf/call/domain_guest.hpp"
#include "conf/call/domain_memory.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Tags as virDomainMemoryStatTags; sizes in KiB. Errors: operation_invalid when it does not run.
struct DomainMemoryStats {
    using In = call::DomainMemoryStatsIn;
    using Out = call::DomainMemoryStatsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Of one disk (target name or path), or of all when the path is empty. Errors: invalid_arg.
struct DomainBlockStats {
    using In = call::DomainBlockStatsIn;
    using Out = call::DomainBlockStatsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The same by names; with nparams 0 only how many there are.
struct DomainBlockStatsFlags {
    using In = call::DomainBlockStatsFlagsIn;
    using Out = call::DomainBlockStatsFlagsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Bytes: what the disk can hold, what it takes on the host, and where its host file ends.
struct DomainGetBlockInfo {
    using In = call::DomainGetBlockInfoIn;
    using Out = call::DomainGetBlockInfoOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// By the host device's name or the MAC. Errors: invalid_arg.
struct DomainInterfaceStats {
    using In = call::DomainInterfaceStatsIn;
    using Out = call::DomainInterfaceStatsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Groups: state 1, cpu 2, balloon 4, vcpu 8, interface 16, block 32; 0: all. Others have nothing to tell and
/// are refused only with the flag "enforce". Filters as ConnectListAllDomains.
struct ConnectGetAllDomainStats {
    using In = call::ConnectGetAllDomainStatsIn;
    using Out = call::ConnectGetAllDomainStatsOut;
    static constexpr std::array needs{Permission{"connect", "search_domains"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
