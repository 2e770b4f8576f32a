/// The operation that connects a client with a guest's console.
#pragma once

#include "conf/call/domain_device.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Two-way bytes between the client's stream and the console (device `dev_name`: an alias; absent: the first
/// console or serial port), as long as both last. Only pty and unix devices. Flags: force 1 ends another
/// client's, safe 2. Errors: operation_failed when another client has it; internal when there is no such
/// device.
struct DomainOpenConsole {
    using In = call::DomainOpenConsoleIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "open_device"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The same for a <channel>: by alias or by name; absent: the first one.
struct DomainOpenChannel {
    using In = call::DomainOpenChannelIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "open_device"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
