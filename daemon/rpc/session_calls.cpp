/// The procedures about the connection itself: opening, features, identity, subscriptions. Answered at once,
/// by the session and nobody else.
#include "conf/base/tr.hpp"
#include "conf/call/auth.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/event.hpp"
#include "conf/call/qemu.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "daemon/rpc/events.hpp"
#include "daemon/rpc/session.hpp"
#include "daemon/rpc/xdr.hpp"

#include <algorithm>
#include <array>
#include <regex>

namespace cloister::rpc {
namespace {

using call::Nothing;

std::unexpected<Error> internal(std::string message, ErrorDomain domain = ErrorDomain::rpc) {
    return std::unexpected(Error{.code = Code::internal, .message = std::move(message), .domain = domain});
}

std::unexpected<Error> unsupported_flags(std::uint32_t flags, const char* function) {
    return std::unexpected(Error{.code = Code::invalid_arg,
                                 .message = tr("unsupported flags ({0:#x}) in function {1}", flags, function),
                                 .domain = ErrorDomain::none,
                                 .bare = true});
}

/// Whether we are who the URI asks for. Source: facts/protocol.md 3, measured on the reference.
Result<> check_uri(std::string_view uri) {
    constexpr std::string_view scheme = "qemu://";
    const auto whole = uri.substr(0, uri.find('?'));
    const auto path = whole.substr(std::min(scheme.size(), whole.size()));
    if (!uri.starts_with(scheme) || (!path.empty() && path.front() != '/'))
        return std::unexpected(
            Error{.code = Code::no_connect, .message = std::string(uri), .domain = ErrorDomain::none});
    if (path != "/system" && path != "/session")
        return internal(tr("unexpected qemu URI path '{0}', try qemu:///system", path), ErrorDomain::none);
    return {};
}

} // namespace

/// A friend of Session: each function is one procedure.
struct OwnCalls {
    static Result<Nothing> open(Session& session, call::ConnectOpenIn in) {
        if (session.uri_) return internal(tr("connection already open"));
        if (!in.name) return internal(tr("connection not open"));
        const auto& uri = in.name->value;
        if (!uri.empty()) TRY(check_uri(uri));
        if (in.flags & 1u) session.caller_.read_only = true;
        session.uri_ = uri.empty() ? "qemu:///system" : uri;
        return Nothing{};
    }
    static Result<Nothing> close(Session& session, Nothing) {
        session.closing_ = true; // once the reply has been written
        return Nothing{};
    }
    static Result<call::ConnectGetUriOut> uri(Session& session, Nothing) {
        return call::ConnectGetUriOut{.uri = {*session.uri_}};
    }
    static Result<call::ConnectIsSecureOut> is_secure(Session&, Nothing) {
        return call::ConnectIsSecureOut{.secure = 1}; // it never leaves this machine
    }

    static Result<call::AuthListOut> auth_list(Session& session, Nothing) {
        constexpr std::int32_t none = 0, polkit = 2;
        return call::AuthListOut{.types = {{session.authenticated_ ? none : polkit}}};
    }
    static Result<Nothing> auth_refused(Session&, Nothing) {
        return std::unexpected(rpc_error(tr("authentication failed"), Code::auth_failed));
    }

    static Result<call::ConnectSupportsFeatureOut> feature(Session& session,
                                                           call::ConnectSupportsFeatureIn in) {
        constexpr int descriptors = 8, typed_strings = 9, keepalive = 10, callback_ids = 14,
                      close_callback = 15, network_update_order = 16;
        if (!session.uri_ && in.feature != keepalive) return internal(tr("hypervisor connection not open"));
        if (in.feature == keepalive) session.start_pings(); // a client that never asks is never pinged
        constexpr std::array have = {descriptors,  typed_strings,  keepalive,
                                     callback_ids, close_callback, network_update_order};
        return call::ConnectSupportsFeatureOut{.supported = std::ranges::count(have, in.feature) > 0 ? 1 : 0};
    }

    /// The driver of this daemon never goes away before its socket does, so there is nothing to tell.
    static Result<Nothing> close_callback(Session&, Nothing) { return Nothing{}; }

    /// A sibling daemon speaks for its client. Only a privileged one is believed.
    static Result<Nothing> set_identity(Session& session, call::ConnectSetIdentityIn in) {
        if (in.flags != 0) return unsupported_flags(in.flags, "virConnectSetIdentity");
        if (session.caller_.uid != 0)
            return std::unexpected(
                rpc_error(tr("only root may speak for somebody else"), Code::access_denied));
        auto who = session.caller_;
        who.start_time = 0; // of another process
        constexpr std::array ignored = {"user-name", "group-name", "sasl-user-name",
                                        "x509-distinguished-name", "selinux-context"};
        for (const auto& [field, value] : in.params.items) {
            const auto* number = std::get_if<std::uint64_t>(&value);
            const auto* pid = std::get_if<std::int64_t>(&value);
            if (field.value == "unix-user-id" && number)
                who.uid = static_cast<std::uint32_t>(*number);
            else if (field.value == "unix-group-id" && number)
                who.gid = static_cast<std::uint32_t>(*number);
            else if (field.value == "process-id" && pid)
                who.pid = static_cast<std::int32_t>(*pid);
            else if (field.value == "process-time" && number)
                who.start_time = *number;
            else if (std::ranges::count(ignored, field.value) == 0)
                return std::unexpected(Error{.code = Code::argument_unsupported,
                                             .message = tr("parameter '{0}' not supported", field.value),
                                             .domain = ErrorDomain::none});
        }
        session.become(who);
        return Nothing{};
    }

    static Result<> in_range(int number, int last) {
        if (number < 0 || number > last) return internal(tr("unsupported event ID {0}", number));
        return {};
    }
    static Result<call::ConnectDomainEventCallbackRegisterAnyOut>
    subscribe(Session& session, call::ConnectDomainEventCallbackRegisterAnyIn in) {
        TRY(in_range(in.event_id, last_event));
        EventFilter filter{.number = in.event_id};
        if (in.dom) filter.domain = Uuid{in.dom->uuid};
        const auto callback = TRY(session.subscribe(std::move(filter), false));
        return call::ConnectDomainEventCallbackRegisterAnyOut{.callback_id = callback};
    }
    static Result<Nothing> unsubscribe(Session& session, call::ConnectDomainEventCallbackDeregisterAnyIn in) {
        if (session.unsubscribe(in.callback_id, false)) return Nothing{};
        return internal(tr("domain event callback {0} not registered", in.callback_id));
    }

    static Result<Nothing> subscribe_legacy(Session& session, call::ConnectDomainEventRegisterAnyIn in) {
        TRY(in_range(in.event_id, last_legacy_event));
        TRY(session.subscribe(EventFilter{.number = in.event_id}, true));
        return Nothing{};
    }
    static Result<Nothing> unsubscribe_legacy(Session& session, call::ConnectDomainEventDeregisterAnyIn in) {
        TRY(in_range(in.event_id, last_legacy_event));
        const auto gone = std::erase_if(session.subscriptions_, [&](const Session::Subscription& s) {
            return s.legacy && s.filter.number == in.event_id;
        });
        if (gone == 0) return internal(tr("domain event {0} not registered", in.event_id));
        return Nothing{};
    }
    static Result<call::ConnectDomainEventRegisterOut> subscribe_lifecycle(Session& session, Nothing) {
        TRY(subscribe_legacy(session, {}));
        return call::ConnectDomainEventRegisterOut{};
    }
    static Result<call::ConnectDomainEventDeregisterOut> unsubscribe_lifecycle(Session& session, Nothing) {
        TRY(unsubscribe_legacy(session, {}));
        return call::ConnectDomainEventDeregisterOut{};
    }

    static Result<call::QemuConnectDomainMonitorEventRegisterOut>
    subscribe_monitor(Session& session, call::QemuConnectDomainMonitorEventRegisterIn in) {
        constexpr std::uint32_t regex = 1, ignore_case = 2;
        if (in.flags & ~(regex | ignore_case))
            return unsupported_flags(in.flags & ~(regex | ignore_case),
                                     "virDomainQemuMonitorEventStateRegisterID");
        EventFilter filter{.number = event::MonitorEvent::number};
        if (in.dom) filter.domain = Uuid{in.dom->uuid};
        if (in.event) filter.monitor_event = in.event->value;
        filter.is_regex = (in.flags & regex) != 0;
        filter.ignore_case = (in.flags & ignore_case) != 0;
        if (filter.is_regex && filter.monitor_event) {
            try {
                (void)std::regex(*filter.monitor_event, std::regex::extended); // tried here, used by the hub
            } catch (const std::regex_error&) {
                return std::unexpected(
                    Error{.code = Code::invalid_arg,
                          .message = tr("failed to compile regex {0}", *filter.monitor_event),
                          .domain = ErrorDomain::none});
            }
        }
        const auto callback = TRY(session.subscribe(std::move(filter), false));
        return call::QemuConnectDomainMonitorEventRegisterOut{.callback_id = callback};
    }
    static Result<Nothing> unsubscribe_monitor(Session& session,
                                               call::QemuConnectDomainMonitorEventDeregisterIn in) {
        if (session.unsubscribe(in.callback_id, true)) return Nothing{};
        return internal(tr("qemu monitor event callback {0} not registered", in.callback_id));
    }
};

namespace {

template <class In, class Out, Result<Out> (*run)(Session&, In)>
Result<Bytes> at_once(Session& session, std::span<const std::byte> body, acl::Route route) {
    auto in = TRY(xdr::decode<In>(body));
    if (session.read_only()) TRY(acl::read_only_check(route, acl::conditions(in)));
    return xdr::encode(TRY(run(session, std::move(in))));
}

template <class> struct Signature;
template <class In, class Out> struct Signature<Result<Out> (*)(Session&, In)> {
    template <auto run> static constexpr OwnCall call = &at_once<In, Out, run>;
};
template <auto run> constexpr OwnCall own = Signature<decltype(run)>::template call<run>;

enum class From { authenticating, authenticated, open };
struct Own {
    std::int32_t number = 0;
    OwnCall call = nullptr;
    From from = From::open;
};
constexpr Own remote[] = {
    {1, own<&OwnCalls::open>, From::authenticated},
    {2, own<&OwnCalls::close>, From::authenticated},
    {60, own<&OwnCalls::feature>, From::authenticated},
    {66, own<&OwnCalls::auth_list>, From::authenticating},
    {67, own<&OwnCalls::auth_refused>, From::authenticating},
    {68, own<&OwnCalls::auth_refused>, From::authenticating},
    {69, own<&OwnCalls::auth_refused>, From::authenticating},
    {70, own<&OwnCalls::auth_refused>, From::authenticating},
    {105, own<&OwnCalls::subscribe_lifecycle>},
    {106, own<&OwnCalls::unsubscribe_lifecycle>},
    {110, own<&OwnCalls::uri>},
    {149, own<&OwnCalls::is_secure>},
    {167, own<&OwnCalls::subscribe_legacy>},
    {168, own<&OwnCalls::unsubscribe_legacy>},
    {316, own<&OwnCalls::subscribe>},
    {317, own<&OwnCalls::unsubscribe>},
    {360, own<&OwnCalls::close_callback>},
    {361, own<&OwnCalls::close_callback>},
    {419, own<&OwnCalls::set_identity>},
};
constexpr Own qemu[] = {
    {4, own<&OwnCalls::subscribe_monitor>},
    {5, own<&OwnCalls::unsubscribe_monitor>},
};

std::span<const Own> of(std::uint32_t program) {
    if (program == call::remote_program) return remote;
    if (program == call::qemu_program) return qemu;
    return {};
}
const Own* find(std::uint32_t program, std::int32_t number) {
    const auto all = of(program);
    const auto found = std::ranges::lower_bound(all, number, {}, &Own::number);
    return found != all.end() && found->number == number ? &*found : nullptr;
}

} // namespace

OwnCall own_call(std::uint32_t program, std::int32_t number) {
    const auto* found = find(program, number);
    return found ? found->call : nullptr;
}

bool before_open(std::uint32_t program, std::int32_t number) {
    const auto* found = find(program, number);
    return found && found->from != From::open;
}

bool before_authentication(std::uint32_t program, std::int32_t number) {
    const auto* found = find(program, number);
    return found && found->from == From::authenticating;
}

std::vector<std::int32_t> own_numbers(std::uint32_t program) {
    std::vector<std::int32_t> out;
    for (const auto& one : of(program)) out.push_back(one.number);
    return out;
}

} // namespace cloister::rpc
