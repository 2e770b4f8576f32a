#include "daemon/dbus/request.hpp"

#include "conf/base/tr.hpp"
#include "daemon/acl/by_polkit.hpp"
#include "daemon/dbus/codec.hpp"
#include "daemon/dbus/polkit.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <array>
#include <systemd/sd-bus.h>

namespace cloister::dbus {
namespace {

constexpr std::chrono::milliseconds patience{5'000};

/// A guest that is to end with its creator needs a creator whose end we would hear of.
bool would_autodestroy(const acl::Route& route, const acl::Conditions& given) {
    constexpr std::array starts = {
        std::string_view("DOMAIN_CREATE_XML"), std::string_view("DOMAIN_CREATE_WITH_FLAGS"),
        std::string_view("DOMAIN_CREATE_XML_WITH_FILES"), std::string_view("DOMAIN_CREATE_WITH_FILES")};
    constexpr std::uint32_t autodestroy = 2;
    return (given.flags & autodestroy) != 0 && std::ranges::count(starts, route.procedure->name) > 0;
}

std::unexpected<Error> denied(Code code, std::string message) {
    return std::unexpected(Error{.code = code, .message = std::move(message), .domain = ErrorDomain::polkit});
}

/// One action of polkit, asked once in a request.
Task<Result<bool>> allowed(Request who, std::string action, std::optional<bool>& known, bool interactive) {
    if (known) co_return *known;
    const auto asking = interactive ? polkit::Interaction::allowed : polkit::Interaction::none;
    const polkit::Subject subject = polkit::NameSubject{who.sender};
    const polkit::Details details;
    CO_TRY(verdict, co_await polkit::check_authorization(who.front->bus, subject, action, details, asking));
    if (verdict == polkit::Verdict::no_service)
        co_return denied(Code::auth_unavailable,
                         tr("polkit cannot be asked whether '{0}' is allowed", action));
    known = verdict == polkit::Verdict::authorized;
    co_return *known;
}

/// As the read-only and the read-write socket would let it in. A viewer is never asked for a password.
Task<Result<Caller>> admitted(Request who, bool only_looks) {
    auto caller = who.caller;
    if (caller.uid == 0) co_return caller;
    if (only_looks) {
        CO_TRY(may_look, co_await allowed(who, "org.libvirt.unix.monitor", who.admission->monitor, false));
        caller.read_only = true;
        if (may_look) co_return caller;
    }
    caller.read_only = false;
    CO_TRY(may, co_await allowed(who, "org.libvirt.unix.manage", who.admission->manage, who.interactive));
    if (may) co_return caller;
    co_return denied(Code::access_denied,
                     tr("the action '{0}' is not allowed",
                        only_looks ? "org.libvirt.unix.monitor" : "org.libvirt.unix.manage"));
}

} // namespace

Task<Result<Caller>> caller_of(std::shared_ptr<Bus> bus, std::string sender) {
    constexpr const char* us = "org.freedesktop.DBus";
    CO_TRY(request, bus->method(us, "/org/freedesktop/DBus", us, "GetConnectionCredentials"));
    Writer(request).text('s', sender);
    CO_TRY(reply, co_await bus->call(std::move(request), patience));
    Caller out;
    bool has_uid = false;
    Reader from(reply);
    // Read by hand: there are values of types in it that we never need.
    if (from.enter('a', "{sv}")) {
        while (from.more() && from.enter('e', "sv")) {
            const auto key = from.text('s');
            const auto type = from.variant();
            std::uint32_t number = 0;
            if (type == "u" && from.enter('v', type)) {
                from.basic('u', &number);
                from.leave();
            } else if (from.complaint().empty()) {
                (void)::sd_bus_message_skip(reply.raw(), "v"); // a fault shows at the next value
            }
            if (key == "UnixUserID") {
                out.uid = number;
                has_uid = from.complaint().empty();
            }
            if (key == "ProcessID") out.pid = static_cast<std::int32_t>(number);
            from.leave();
        }
        from.leave();
    }
    // Without it the caller would be taken for root.
    if (!has_uid) co_return fail(Code::dbus_service, tr("the message bus does not say who '{0}' is", sender));
    out.gid = static_cast<std::uint32_t>(-1);
    co_return out;
}

Error invalid_uuid() { return {.code = Code::invalid_arg, .message = tr("Invalid UUID"), .bare = true}; }

acl::Route route_of(std::uint32_t program, std::int32_t number) {
    return {program, call::find_procedure(program, number)};
}

Task<Result<rpc::Bytes>> run(Request who, acl::Route route, acl::Conditions given, rpc::Bytes body) {
    const auto& front = *who.front;
    CO_TRY(pass, front.driver->gate().enter());
    const auto& procedure = *route.procedure;
    CO_TRY(caller, co_await admitted(who, acl::read_only_check(route, given).has_value()));
    const auto* entry = front.table->find(route.program, procedure.number);
    if (!entry)
        co_return fail(Code::no_support, std::string(procedure.api.empty() ? procedure.name : procedure.api));
    if (would_autodestroy(route, given))
        co_return fail(Code::argument_unsupported,
                       tr("a guest that ends with its creator cannot be started over the message bus"));
    Call call{.driver = front.driver, .caller = caller};
    auto policy = acl::policy(front.driver->daemon(), acl::by_polkit(front.bus, who.sender));
    call.rights = acl::rights(std::make_shared<const acl::Policy>(std::move(policy)), caller);
    call.files_in = who.files_in;
    call.files_out = who.files_out;
    co_return co_await entry->serve(std::move(call), std::move(body), route);
}

} // namespace cloister::dbus
