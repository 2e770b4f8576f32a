/// Operations that store, forget and rename definitions.
#pragma once

#include "conf/call/domain_define.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Stores a definition: a new domain, or the next start of an existing one. Event DEFINED.
/// Errors: xml, xml_detail, config_unsupported, operation_failed (name or uuid is taken), system.
struct DomainDefineXml {
    using In = call::DomainDefineXmlIn;
    using Out = call::DomainDefineXmlOut;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: validate 1 (the text is always checked).
struct DomainDefineXmlFlags {
    using In = call::DomainDefineXmlFlagsIn;
    using Out = call::DomainDefineXmlFlagsOut;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Forgets a definition; a running domain becomes transient. Event UNDEFINED.
struct DomainUndefine {
    using In = call::DomainUndefineIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "delete"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: managed save 1, snapshots metadata 2, NVRAM 4, keep NVRAM 8, checkpoints metadata 16, TPM 32, keep
/// TPM 64.
struct DomainUndefineFlags {
    using In = call::DomainUndefineFlagsIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "delete"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Gives an inactive domain another name.
struct DomainRename {
    using In = call::DomainRenameIn;
    using Out = call::DomainRenameOut;
    static constexpr std::array needs{Permission{"domain", "write"}, Permission{"domain", "save"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
