/// A call from the message bus on its way to an operation: on whose behalf, about which object, and whether
/// that caller may. It goes through the same table of procedures as the RPC.
#pragma once

#include "daemon/acl/acl.hpp"
#include "daemon/dbus/bus.hpp"
#include "daemon/dbus/paths.hpp"
#include "daemon/rpc/table.hpp"
#include "daemon/rpc/xdr.hpp"
#include "driver/driver.hpp"
#include "security/kernel/fd.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cloister::dbus {

/// What all calls share. Outlives them: the end of the daemon waits for those inside its gate.
struct Front {
    std::shared_ptr<Bus> bus{};
    Driver* driver = nullptr;
    const rpc::Table* table = nullptr;
    std::function<void()> used{}; ///< told of every call
};

/// What polkit has said about this caller while this request lasts.
struct Admission {
    std::optional<bool> manage{}, monitor{};
};

/// Copied into every coroutine that serves it.
struct Request {
    const Front* front = nullptr;
    Caller caller{};
    std::string sender{};     ///< its unique name on the bus
    bool interactive = false; ///< it waits when somebody has to enter a password
    Place place{};
    std::shared_ptr<Admission> admission = std::make_shared<Admission>();
    std::shared_ptr<std::vector<Fd>> files_in{}, files_out = std::make_shared<std::vector<Fd>>();
};

/// Who sent a message, from the bus itself. Errors: no_connect, dbus_service when the sender has gone.
Task<Result<Caller>> caller_of(std::shared_ptr<Bus> bus, std::string sender);

/// Of a path or an argument that is none, in libvirt-dbus's words.
Error invalid_uuid();

/// Runs one procedure by its number, on the bytes of its arguments. Root may do everything; of others polkit
/// decides, as about a client of the sockets: org.libvirt.unix.monitor for what only looks, .manage for the
/// rest. Errors: access_denied, auth_unavailable (no polkit); no_support when nothing serves the number; the
/// operation's own.
Task<Result<rpc::Bytes>> run(Request who, acl::Route route, acl::Conditions given, rpc::Bytes body);
acl::Route route_of(std::uint32_t program, std::int32_t number);

/// The same with values.
template <class Out, class In>
Task<Result<Out>> ask(Request who, std::int32_t number, In in, std::uint32_t program = call::remote_program) {
    CO_TRY(body, xdr::encode(in));
    CO_TRY(reply,
           co_await run(std::move(who), route_of(program, number), acl::conditions(in), std::move(body)));
    if constexpr (std::is_same_v<Out, call::Nothing>)
        co_return Out{};
    else
        co_return xdr::decode<Out>(reply);
}

} // namespace cloister::dbus
