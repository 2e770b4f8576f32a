/// Leaving the reactor for a while: blocking calls (fsync, setxattr, stat on NFS, a launch's kernel work) run
/// on workers, never on the reactor. The parts of asio that cost seconds to compile are in offload.cpp.
#pragma once

#include "conf/base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace boost::asio {
class thread_pool;
}

namespace cloister {

/// Runs `work` on a worker and resumes the caller on its own executor. What `work` throws, the caller gets.
boost::asio::awaitable<void> on_worker(boost::asio::thread_pool& workers, std::function<void()> work);

/// The same with a value: `work` owns what it touches, takes values and returns one.
template <class F>
boost::asio::awaitable<std::invoke_result_t<F>> offload(boost::asio::thread_pool& workers, F work) {
    struct Job {
        F work;
        std::optional<std::invoke_result_t<F>> returned{};
    };
    const auto job = std::make_shared<Job>(Job{std::move(work)}); // outlives a caller that is given up
    std::function<void()> call = [job] { job->returned.emplace(job->work()); };
    co_await on_worker(workers, std::move(call));
    co_return std::move(*job->returned);
}

/// For a worker: has `task` run on `reactor` and waits for its end. Errors: the task's; operation_timeout.
Result<> on_reactor(const boost::asio::any_io_executor& reactor,
                    std::function<boost::asio::awaitable<Result<>>()> task,
                    std::chrono::milliseconds patience);

/// Lets `task` run on its own on `executor`. Nobody hears of its end.
void spawn(const boost::asio::any_io_executor& executor, boost::asio::awaitable<void> task);

} // namespace cloister
