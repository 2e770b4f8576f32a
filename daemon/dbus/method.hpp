/// One line per method and property: name, procedure, and how its D-Bus arguments and result relate to those
/// of the procedure. Where nothing else is said, arguments are the members of In after the domain, and the
/// result is the member of Out, one by one and in order.
#pragma once

#include "daemon/dbus/codec.hpp"
#include "daemon/dbus/request.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cloister::dbus {

struct Method {
    std::string name{};
    std::string in{}, out{};             ///< signatures
    std::string in_names{}, out_names{}; ///< blanks between; as many as the signature has values
    std::string about{};                 ///< what a reader of the introspection learns; may be empty
    std::int32_t number = 0;             ///< of the procedure; 0: there is none
    /// Reads `call` from where it stands and appends to `reply`. Errors: invalid_arg for arguments that do
    /// not fit; those of run().
    Task<Result<>> (*serve)(Request who, const Method* self, Message call, Message reply) = nullptr;
};

struct Property {
    std::string name{};
    Method get{};                ///< no arguments, one result
    std::optional<Method> set{}; ///< one argument; absent: read-only
    bool constant = false;
    std::string about{};
};

struct Signal {
    std::string name{}, types{}, names{}, about{};
};

struct Interface {
    std::string name{};
    std::vector<Property> properties{};
    std::vector<Method> methods{};
    std::vector<Signal> signals{};
};

// ---- how arguments and results relate ----
struct AsItIs {};
/// The result is not told.
struct Quiet {};

template <class F> struct ParametersOf : ParametersOf<decltype(&F::operator())> {};
template <class F, class R, class In, class... A> struct ParametersOf<R (F::*)(In&, A...) const> {
    using Arguments = std::tuple<std::remove_cvref_t<A>...>;
};

/// The object's own names, which no D-Bus argument carries.
template <class T>
concept Handle =
    std::is_same_v<T, call::DomainHandle> || std::is_same_v<T, call::UuidBytes> || requires(T handle) {
        handle.name;
        handle.dom;
    };
template <Handle T> void name_object(const Place& place, T& handle) {
    if constexpr (requires { handle.dom; }) {
        handle.name.value = place.snapshot;
        name_object(place, handle.dom);
    } else if constexpr (std::is_same_v<T, call::UuidBytes>) {
        if (place.uuid) handle = place.uuid->bytes;
    } else if (place.uuid)
        handle.uuid = place.uuid->bytes;
}

/// Calls `with` for each member of the arguments that the caller gives.
template <class In, class With> void for_each_argument(In& in, With with) {
    boost::pfr::for_each_field(in, [&]<class F>(F& field) {
        if constexpr (!Handle<std::remove_const_t<F>>) with(field);
    });
}

template <class In, class Take> std::string in_signature() {
    std::string out;
    if constexpr (std::is_same_v<Take, AsItIs>) {
        const In in{};
        for_each_argument(in, [&]<class F>(const F&) { out += signature<std::remove_const_t<F>>(); });
    } else
        out = Codec<typename ParametersOf<Take>::Arguments>::members();
    return out;
}
template <class Out, class Give> struct ResultOf {
    using Type = std::remove_cvref_t<std::invoke_result_t<Give, const Out&>>;
};
template <class Out> struct ResultOf<Out, AsItIs> {
    using Type = boost::pfr::tuple_element_t<0, Out>;
    static_assert(boost::pfr::tuple_size_v<Out> == 1, "say which of the members are the result");
};
template <class Out, class Give> inline constexpr bool is_silent =
    std::is_same_v<Out, call::Nothing> || std::is_same_v<Give, Quiet>;
template <class Out, class Give> std::string out_signature() {
    if constexpr (is_silent<Out, Give>)
        return {};
    else
        return signature<typename ResultOf<Out, Give>::Type>();
}

template <class In, class Take> Result<> take(Message& call, In& in) {
    Reader from(call);
    Result<> taken;
    if constexpr (std::is_same_v<Take, AsItIs>) {
        for_each_argument(in, [&]<class F>(F& field) { read(from, field); });
    } else {
        typename ParametersOf<Take>::Arguments arguments{};
        std::apply([&](auto&... one) { (read(from, one), ...); }, arguments);
        if (from.complaint().empty())
            std::apply(
                [&](auto&... one) {
                    if constexpr (std::is_void_v<decltype(Take{}(in, std::move(one)...))>)
                        Take{}(in, std::move(one)...);
                    else
                        taken = Take{}(in, std::move(one)...);
                },
                arguments);
    }
    if (!from.complaint().empty())
        return std::unexpected(Error{.code = Code::invalid_arg, .message = from.complaint(), .bare = true});
    return taken;
}

template <class In, class Out, class Take, class Give>
Task<Result<>> serve(Request who, const Method* self, Message call, Message reply) {
    In in{};
    boost::pfr::for_each_field(in, [&]<class F>(F& field) {
        if constexpr (Handle<F>) name_object(who.place, field);
    });
    CO_CHECK((take<In, Take>(call, in)));
    CO_TRY(out, co_await ask<Out>(std::move(who), self->number, std::move(in)));
    Writer to(reply);
    if constexpr (is_silent<Out, Give>)
        (void)out; // that it succeeded is all there is to tell
    else if constexpr (std::is_same_v<Give, AsItIs>)
        write(to, boost::pfr::get<0>(out));
    else
        write(to, Give{}(out));
    co_return to.done();
}

/// method<In, Out>(27, "Reboot", "flags"), or with a function (In&, arguments…) that fills what is not taken
/// as it is, and one (const Out&) that makes the result.
template <class In, class Out = call::Nothing, class Take = AsItIs, class Give = AsItIs>
Method method(std::int32_t number, std::string_view name, std::string_view in_names = {},
              std::string_view out_names = {}, Take = {}, Give = {}) {
    return {.name = std::string(name),
            .in = in_signature<In, Take>(),
            .out = out_signature<Out, Give>(),
            .in_names = std::string(in_names),
            .out_names = std::string(out_names),
            .number = number,
            .serve = &serve<In, Out, Take, Give>};
}

/// A property that a procedure answers.
template <class In, class Out, class Give = AsItIs>
Property property(std::int32_t number, std::string_view name, Give give = {}) {
    return {.name = std::string(name), .get = method<In, Out>(number, name, {}, {}, AsItIs{}, give)};
}

// The tables.
Interface connect_interface();  // org_libvirt_connect.cpp
Interface domain_interface();   // org_libvirt_domain.cpp
Interface snapshot_interface(); // org_libvirt_snapshot.cpp
Interface cloister_interface(); // org_cloister.cpp

} // namespace cloister::dbus
