/// Blocking calls (fsync, setxattr, stat on NFS, a launch's kernel work) run on workers, never on the
/// reactor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace cloister {

/// Runs `work()` on a worker and resumes the caller on its own executor. `work` owns what it touches: it
/// takes values and returns a value.
template <class F>
boost::asio::awaitable<std::invoke_result_t<F>> offload(boost::asio::thread_pool& workers, F work) {
    co_return co_await boost::asio::co_spawn(
        workers,
        [](F owned) -> boost::asio::awaitable<std::invoke_result_t<F>> {
            co_return owned();
        }(std::move(work)),
        boost::asio::use_awaitable);
}

} // namespace cloister
