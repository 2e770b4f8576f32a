/// Our own calls: what a start would do, how a running domain is confined, what taking a definition over
/// would lose.
#pragma once

#include "conf/call/cloister.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// The plan of a start, without starting: as text, JSON or command line. Exactly one of text and domain is
/// given. Errors: as a start before its first change; invalid_arg.
struct Explain {
    using In = call::ExplainIn;
    using Out = call::ExplainOut;
    static constexpr std::array needs{Permission{"connect", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// What was planned, and what the kernel says now, item by item. Errors: operation_invalid when it does not
/// run.
struct ShowConfinement {
    using In = call::ConfinementIn;
    using Out = call::ConfinementOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Sentences about what is kept but not understood, and what a start would refuse. Changes nothing.
struct ImportCheck {
    using In = call::ImportCheckIn;
    using Out = call::ImportCheckOut;
    static constexpr std::array needs{Permission{"connect", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
