#include "driver/jobs.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <optional>

namespace cloister {

struct Jobs::Queue {
    struct Waiter {
        boost::asio::steady_timer timer;
        std::string who{};
        bool granted = false;
        std::optional<Error> refused{};
    };
    boost::asio::any_io_executor on;
    std::list<Waiter> waiting{};
    std::string holder{};
    bool held = false;
    unsigned most = 0; ///< jobs, the holder included; 0: any number

    explicit Queue(boost::asio::any_io_executor executor) : on(std::move(executor)) {}

    /// The holder and those who still wait: who was granted the domain is its holder already.
    std::size_t jobs() const {
        return (held ? 1u : 0u) + static_cast<std::size_t>(std::ranges::count_if(
                                      waiting, [](const Waiter& w) { return !w.granted && !w.refused; }));
    }

    /// Gives the domain to the first who still waits.
    void next() {
        held = false;
        holder.clear();
        for (auto& waiter : waiting) {
            if (waiter.granted || waiter.refused) continue;
            waiter.granted = held = true;
            holder = waiter.who;
            waiter.timer.cancel();
            return;
        }
    }
};

Jobs::Jobs(boost::asio::any_io_executor on) : queue_(std::make_shared<Queue>(std::move(on))) {}

Jobs::Turn::~Turn() {
    if (queue_) queue_->next();
}

boost::asio::awaitable<Result<Jobs::Turn>> Jobs::turn(std::string who, std::chrono::milliseconds patience) {
    const auto queue = queue_; // outlives the wait, whatever happens to the guest
    if (!queue->held) {
        queue->held = true;
        queue->holder = std::move(who);
        co_return Turn{queue};
    }
    if (queue->most > 0 && queue->jobs() >= queue->most)
        co_return fail(
            Code::operation_failed,
            tr("cannot acquire state change lock (held by {0}) due to max_queued limit", queue->holder));
    const auto me = queue->waiting.insert(
        queue->waiting.end(),
        Queue::Waiter{.timer = boost::asio::steady_timer(queue->on, patience), .who = std::move(who)});
    (void)co_await me->timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable)); // why: see `me`
    const bool granted = me->granted;
    auto refused = std::move(me->refused);
    queue->waiting.erase(me);
    if (granted) co_return Turn{queue};
    if (refused) co_return std::unexpected(std::move(*refused));
    co_return fail(Code::operation_timeout,
                   tr("cannot acquire state change lock (held by {0})", queue->holder));
}

void Jobs::interrupt(const Error& why) {
    for (auto& waiter : queue_->waiting) {
        if (waiter.granted) continue;
        waiter.refused = why;
        waiter.timer.cancel();
    }
}

void Jobs::limit(unsigned most) { queue_->most = most; }
bool Jobs::busy() const { return queue_->held; }
std::string Jobs::holder() const { return queue_->holder; }

} // namespace cloister
