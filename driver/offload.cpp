#include "driver/offload.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cloister {

namespace {

boost::asio::awaitable<void> called(std::function<void()> work) {
    work();
    co_return;
}

} // namespace

boost::asio::awaitable<void> on_worker(boost::asio::thread_pool& workers, std::function<void()> work) {
    co_await boost::asio::co_spawn(workers, called(std::move(work)), boost::asio::use_awaitable);
}

void spawn(const boost::asio::any_io_executor& executor, boost::asio::awaitable<void> task) {
    boost::asio::co_spawn(executor, std::move(task), boost::asio::detached);
}

} // namespace cloister
