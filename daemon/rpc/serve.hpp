/// decode -> may the caller? -> run -> encode, for any operation.
#pragma once

#include "daemon/rpc/table.hpp"
#include "daemon/rpc/xdr.hpp"

#include <array>
#include <concepts>

namespace cloister::rpc {

/// What an operation of driver/op has to declare.
template <class Op>
concept Operation = requires(Call call, typename Op::In in) {
    { std::span<const Permission>(Op::needs) };
    { Op::run(call, in) } -> std::same_as<Task<Result<typename Op::Out>>>;
};

template <Operation Op> Task<Result<Bytes>> serve(Call call, Bytes body, acl::Route route) {
    CO_TRY(in, xdr::decode<typename Op::In>(body));
    CO_TRY(admitted, co_await acl::admitted(std::move(call), route, acl::conditions(in), mentioned(in)));
    CO_TRY(out, co_await Op::run(std::move(admitted), std::move(in)));
    co_return xdr::encode(out);
}

template <Operation Op> constexpr Entry entry(std::int32_t number) { return {number, Op::needs, &serve<Op>}; }

/// For a static_assert beside each table.
template <std::size_t N> constexpr bool sorted_once(const std::array<Entry, N>& entries) {
    for (std::size_t i = 1; i < N; ++i)
        if (entries[i - 1].number >= entries[i].number) return false;
    return true;
}

} // namespace cloister::rpc
