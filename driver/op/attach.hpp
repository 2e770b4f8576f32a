/// Operations that add, remove and change single devices, of running guests and of definitions.
#pragma once

#include "conf/call/domain_device.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

inline constexpr std::array device_permissions{Permission{"domain", "write"}, Permission{"domain", "save"}};

/// Of the running guest. Errors: operation_invalid when it does not run, or the target exists;
/// operation_unsupported for a kind that cannot be added; internal with QEMU's words.
struct DomainAttachDevice {
    using In = call::DomainAttachDeviceIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Flags: affect live 1, affect config 2. The definition's change is worked out first and stored last.
struct DomainAttachDeviceFlags {
    using In = call::DomainAttachDeviceFlagsIn;
    using Out = call::Nothing;
    static constexpr auto needs = device_permissions;
    static Task<Result<Out>> run(Call call, In in);
};
/// Waits up to 5 s for the guest to let go; afterwards the event tells. Errors: device_missing.
struct DomainDetachDevice {
    using In = call::DomainDetachDeviceIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainDetachDeviceFlags {
    using In = call::DomainDetachDeviceFlagsIn;
    using Out = call::Nothing;
    static constexpr auto needs = device_permissions;
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainDetachDeviceAlias {
    using In = call::DomainDetachDeviceAliasIn;
    using Out = call::Nothing;
    static constexpr auto needs = device_permissions;
    static Task<Result<Out>> run(Call call, In in);
};
/// Media, link state, passwords, the balloon's period. Flags: as attach, and force 4.
struct DomainUpdateDeviceFlags {
    using In = call::DomainUpdateDeviceFlagsIn;
    using Out = call::Nothing;
    static constexpr auto needs = device_permissions;
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
