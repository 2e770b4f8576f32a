/// Result<T>: a value or the Error that explains why there is none.
#pragma once

#include "conf/base/code.hpp"

#include <expected>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace cloister {

/// Which of the stacked confinement layers refused. `none`: not a refusal.
enum class Layer { none, selinux, apparmor, dac, mountns, cgroup, caps, seccomp, landlock, limits };

/// Why an operation failed: what a client sees, and what a log needs.
struct Error {
    Code code = Code::internal;
    std::string message{}; ///< the detail: one sentence, no full stop, translated; without the code's prefix
    int sys_errno = 0;     ///< errno of the failed call; 0 when there was none
    Layer layer = Layer::none;          ///< the confinement layer that refused
    std::vector<std::string> context{}; ///< outermost last: "labelling '/a'", "starting 'vm1'"
    ErrorDomain domain = ErrorDomain::qemu;
    bool bare =
        false; ///< the message is the whole text: the code's prefix is left out ("unsupported flags …")
    std::source_location where = std::source_location::current();

    /// Adds what was being done when this error passed through.
    Error&& during(std::string what) && {
        context.push_back(std::move(what));
        return std::move(*this);
    }
};

/// What a client reads: the code's prefix and the detail.
std::string full_text(const Error& error);

/// The error of a failed system call: "MESSAGE: text of errno". Code::system.
Error system_error(int sys_errno, std::string message, Layer layer = Layer::none,
                   std::source_location where = std::source_location::current());

/// std::expected that may not be ignored: libstdc++ 12 does not mark its own nodiscard.
template <class T = void> class [[nodiscard]] Result : public std::expected<T, Error> {
public:
    using std::expected<T, Error>::expected;
};

/// `return fail(Code::xml, tr("…"))`: an Error on its way into a Result.
inline std::unexpected<Error> fail(Code code, std::string message,
                                   std::source_location where = std::source_location::current()) {
    return std::unexpected<Error>(Error{.code = code, .message = std::move(message), .where = where});
}

} // namespace cloister

/// One of the project's three macros (docs/adr/0002): the value of `expr`, or return its error.
/// Not for coroutines: g++ 12 crashes on co_await inside a statement expression.
#define TRY(expr) CLOISTER_TRY_AS(expr, __COUNTER__)
// A name of its own for each use, so that one TRY may stand inside another's expression.
#define CLOISTER_TRY_AS(expr, number) CLOISTER_TRY(expr, number)
#define CLOISTER_TRY(expr, number)                                                                           \
    __extension__({                                                                                          \
        auto&& try_result_##number = (expr);                                                                 \
        if (!try_result_##number) [[unlikely]]                                                               \
            return std::unexpected(std::move(try_result_##number).error());                                  \
        *std::move(try_result_##number);                                                                     \
    })

/// TRY for coroutines: declares `name` as the value of `expr`, or co_returns its error.
#define CO_TRY(name, expr)                                                                                   \
    auto name##_result_ = (expr);                                                                            \
    if (!name##_result_) [[unlikely]]                                                                        \
        co_return std::unexpected(std::move(name##_result_).error());                                        \
    [[maybe_unused]] auto& name = *name##_result_

/// CO_TRY for a Result<> without a value.
#define CO_CHECK(expr)                                                                                       \
    if (auto co_check_result_ = (expr); !co_check_result_) [[unlikely]]                                      \
    co_return std::unexpected(std::move(co_check_result_).error())
