/// Methods whose arguments or result are file descriptors.
#pragma once

#include "daemon/dbus/method.hpp"

namespace cloister::dbus {

/// Takes duplicates of an array of descriptors ('ah') out of a message. Errors: invalid_arg, system.
Result<std::vector<Fd>> read_files(Message& call);
/// Appends one descriptor ('h'), of which the message makes a duplicate. Errors: internal when there is none.
Result<> write_file(Message& reply, const std::vector<Fd>& files);

/// Arguments of In, with the descriptors before the last one, the flags.
template <class In, class Out, class Give>
Task<Result<>> serve_with_files(Request who, const Method* self, Message call, Message reply) {
    In in{};
    Reader from(call);
    boost::pfr::for_each_field(in, [&]<class F>(F& field) {
        if constexpr (Handle<F>)
            name_object(who.place, field);
        else if constexpr (!std::is_same_v<F, std::uint32_t>)
            read(from, field);
    });
    CO_TRY(files, read_files(call));
    read(from, in.flags);
    if (!from.complaint().empty()) co_return fail(Code::invalid_arg, from.complaint());
    who.files_in = std::make_shared<std::vector<Fd>>(std::move(files));
    CO_TRY(out, co_await ask<Out>(std::move(who), self->number, std::move(in)));
    Writer to(reply);
    if constexpr (std::is_same_v<Give, Quiet>)
        (void)out; // that it succeeded is all there is to tell
    else
        write(to, boost::pfr::get<0>(out));
    co_return to.done();
}

template <class In, class Out, class Give = AsItIs>
Method with_files(std::int32_t number, std::string_view name, std::string_view in_names,
                  std::string_view out_names = {}, Give = {}) {
    Method out{.name = std::string(name),
               .out = out_signature<Out, Give>(),
               .in_names = std::string(in_names),
               .out_names = std::string(out_names),
               .number = number,
               .serve = &serve_with_files<In, Out, Give>};
    out.in = in_signature<In, AsItIs>();
    out.in.insert(out.in.size() - 1, "ah");
    return out;
}

} // namespace cloister::dbus
