/// Operations that find and list domains. They read a snapshot and never wait.
#pragma once

#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

struct Guest; // driver/guest.hpp

/// Whether the filter flags of ConnectListAllDomains let the domain through.
bool listed(const Guest& guest, std::uint32_t flags);

/// Errors: no_domain.
struct DomainLookupById {
    using In = call::DomainLookupByIdIn;
    using Out = call::DomainLookupByIdOut;
    static constexpr std::array needs{Permission{"domain", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainLookupByName {
    using In = call::DomainLookupByNameIn;
    using Out = call::DomainLookupByNameOut;
    static constexpr std::array needs{Permission{"domain", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainLookupByUuid {
    using In = call::DomainLookupByUuidIn;
    using Out = call::DomainLookupByUuidOut;
    static constexpr std::array needs{Permission{"domain", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};

/// Every domain that the filter flags let through: active 1, inactive 2, persistent 4, transient 8, running
/// 16, paused 32, shut off 64, other 128, managed save 256/512, autostart 1024/2048, snapshot 4096/8192,
/// checkpoint 16384/32768. Errors: invalid_arg for other flags.
struct ConnectListAllDomains {
    using In = call::ConnectListAllDomainsIn;
    using Out = call::ConnectListAllDomainsOut;
    static constexpr std::array needs{Permission{"connect", "search_domains"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The ids of active domains.
struct ConnectListDomains {
    using In = call::ConnectListDomainsIn;
    using Out = call::ConnectListDomainsOut;
    static constexpr std::array needs{Permission{"connect", "search_domains"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct ConnectNumOfDomains {
    using In = call::Nothing;
    using Out = call::ConnectNumOfDomainsOut;
    static constexpr std::array needs{Permission{"connect", "search_domains"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The names of inactive domains.
struct ConnectListDefinedDomains {
    using In = call::ConnectListDefinedDomainsIn;
    using Out = call::ConnectListDefinedDomainsOut;
    static constexpr std::array needs{Permission{"connect", "search_domains"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct ConnectNumOfDefinedDomains {
    using In = call::Nothing;
    using Out = call::ConnectNumOfDefinedDomainsOut;
    static constexpr std::array needs{Permission{"connect", "search_domains"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
