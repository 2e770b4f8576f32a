/// Whether a domain starts with the daemon.
#pragma once

#include "conf/call/domain.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

struct DomainGetAutostart {
    using In = call::DomainGetAutostartIn;
    using Out = call::DomainGetAutostartOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: operation_invalid for a transient domain.
struct DomainSetAutostart {
    using In = call::DomainSetAutostartIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
