/// How an Error looks on the wire. Source: facts/protocol.md 2.
#pragma once

#include "conf/call/common.hpp"
#include "daemon/rpc/frame.hpp"

namespace cloister::rpc {

struct NetworkHandle {
    Text<> name{};
    call::UuidBytes uuid{};
    bool operator==(const NetworkHandle&) const = default;
};

/// virNetMessageError, member by member.
struct WireError {
    std::int32_t code = 0, domain = 0;
    std::optional<Text<>> message{};
    std::int32_t level = 2;
    std::optional<call::DomainHandle> dom{};
    std::optional<Text<>> str1{}, str2{}, str3{};
    std::int32_t int1 = -1, int2 = -1;
    std::optional<NetworkHandle> net{};
    bool operator==(const WireError&) const = default;
};

/// Level 2; the message is always present: prefix and detail; str1 is the prefix as a format, str2 the
/// detail, int1 the errno of a failed system call.
WireError wire_error(const Error& error);
/// wire_error in XDR.
Bytes printed(const Error& error);

/// What the reference answers to a procedure it does not have; the client library turns exactly this into
/// "not supported".
Error unknown_procedure(std::int32_t number);
/// An error of the dispatcher itself: code and domain RPC, or another code in that domain.
Error rpc_error(std::string message, Code code = Code::rpc);

} // namespace cloister::rpc
