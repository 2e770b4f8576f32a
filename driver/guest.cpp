#include "driver/guest.hpp"

#include "conf/domain/domain.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cloister {

Guest::Guest(boost::asio::any_io_executor on, std::shared_ptr<const Domain> what)
    : name(what->name), uuid(what->uuid.value_or(Uuid{})), definition(std::move(what)),
      since(std::chrono::steady_clock::now()), jobs(on), on_(on) {}

Guest::~Guest() = default;

void Guest::become(Status next) {
    if (next == status) return;
    status = next;
    since = std::chrono::steady_clock::now();
}

void Guest::changed() {
    for (auto& timer : waiting_) timer.cancel();
}

boost::asio::awaitable<bool> Guest::wait_until(std::function<bool()> done,
                                               std::chrono::milliseconds patience) {
    const auto self = shared_from_this();
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= until) co_return false;
        const auto mine = waiting_.emplace(waiting_.end(), on_, until);
        (void)co_await mine->async_wait(
            boost::asio::as_tuple(boost::asio::use_awaitable)); // either way: look
        waiting_.erase(mine);
    }
    co_return true;
}

} // namespace cloister
