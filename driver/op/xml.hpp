/// The operation that prints a domain.
#pragma once

#include "conf/call/domain_define.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Flags: secure 1 (passwords; refused to read-only callers), inactive 2, update CPU 4, migratable 8.
/// Errors: operation_denied.
struct DomainGetXmlDesc {
    using In = call::DomainGetXmlDescIn;
    using Out = call::DomainGetXmlDescOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
