#include "driver/offload.hpp"

#include "conf/base/tr.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

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

Result<> on_reactor(const boost::asio::any_io_executor& reactor,
                    std::function<boost::asio::awaitable<Result<>>()> task,
                    std::chrono::milliseconds patience) {
    const auto answer = std::make_shared<std::promise<Result<>>>(); // outlives a worker that gave up
    auto waiting = answer->get_future();
    boost::asio::co_spawn(reactor, std::move(task), [answer](std::exception_ptr bug, Result<> done) {
        if (bug) std::rethrow_exception(bug);
        answer->set_value(std::move(done));
    });
    if (waiting.wait_for(patience) != std::future_status::ready)
        return fail(Code::operation_timeout, tr("no answer within {0} ms", patience.count()));
    return waiting.get();
}

void spawn(const boost::asio::any_io_executor& executor, boost::asio::awaitable<void> task) {
    boost::asio::co_spawn(executor, std::move(task), boost::asio::detached);
}

} // namespace cloister
