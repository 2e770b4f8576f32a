/// Title, description and foreign metadata of a domain.
#pragma once

#include "conf/call/domain_define.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Type 0: description, 1: title, 2: the element of the namespace `uri`. Errors: no_domain_metadata.
struct DomainGetMetadata {
    using In = call::DomainGetMetadataIn;
    using Out = call::DomainGetMetadataOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The same types; no metadata removes it. Event METADATA_CHANGE.
struct DomainSetMetadata {
    using In = call::DomainSetMetadataIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
