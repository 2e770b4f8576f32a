/// Who may call what: the way in (read-only or not), then the access policy.
#pragma once

#include "conf/call/procedure.hpp"
#include "driver/op/call.hpp"
#include "driver/op/identity.hpp"

#include <optional>

namespace cloister::acl {

/// What of a call's arguments decides which permissions it needs.
struct Conditions {
    std::uint32_t flags = 0;
    std::optional<std::uint32_t> source{}; ///< the argument of that name, where a procedure has it
};

/// Takes the conditions out of any arguments.
template <class In> Conditions conditions(const In& in) {
    Conditions out;
    if constexpr (requires { in.flags; }) out.flags = static_cast<std::uint32_t>(in.flags);
    if constexpr (requires { in.source; })
        if constexpr (std::is_integral_v<decltype(in.source)>)
            out.source = static_cast<std::uint32_t>(in.source);
    return out;
}

/// A procedure of a program: where its permissions and its name stand.
struct Route {
    std::uint32_t program = 0;
    const call::Procedure* procedure = nullptr; ///< never null; static storage
};

/// Whether a permission counts for these arguments.
bool applies(const call::Need& need, const Conditions& given);

/// Whether a read-only connection may do this: what only looks. Errors: operation_denied with the API's name,
/// in the words and the error domain of the reference.
Result<> read_only_check(const Route& route, const Conditions& given);

/// Whether a call of this procedure is about one domain.
bool about_a_domain(const Route& route);

/// Whether the caller may make this call: on a read-only connection what read_only_check lets through, and
/// every permission of the procedure that these arguments need is asked of the caller's rights. Gives the
/// call back, with what it is about. Errors: operation_denied, access_denied; no_domain. `mentioned` may
/// point into the arguments, which outlive this.
Task<Result<Call>> admitted(Call call, Route route, Conditions given, Mentioned mentioned);

} // namespace cloister::acl
