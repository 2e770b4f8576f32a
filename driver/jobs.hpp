/// One change of a domain at a time, in the order asked for. Queries do not take a turn; destroy does not
/// either.
#pragma once

#include "conf/base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace cloister {

/// The queue of one domain. Not thread-safe: lives on the reactor thread.
class Jobs {
    struct Queue;

public:
    /// Holding it is holding the domain. Move-only; gives the domain to the next in line when destroyed.
    class [[nodiscard]] Turn {
    public:
        Turn(Turn&&) noexcept = default;
        Turn& operator=(Turn&& other) noexcept {
            std::swap(queue_, other.queue_);
            return *this;
        }
        ~Turn();

    private:
        friend class Jobs;
        explicit Turn(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
        std::shared_ptr<Queue> queue_;
    };

    explicit Jobs(boost::asio::any_io_executor on);
    /// At most so many jobs, the one that holds the domain included; one more is refused at once. 0: any
    /// number.
    void limit(unsigned most);
    /// Waits for the jobs before this one, `patience` at most. `who` is the API's name, told to those who
    /// wait in vain. Errors: operation_failed when limit() is reached; operation_timeout "cannot acquire
    /// state change lock (held by …)"; what `interrupt` was given.
    boost::asio::awaitable<Result<Turn>> turn(std::string who,
                                              std::chrono::milliseconds patience = std::chrono::seconds(30));
    /// Everyone who waits now gets `why` at once; the holder keeps its turn.
    void interrupt(const Error& why);
    bool busy() const;
    /// Who holds the domain; empty: nobody.
    std::string holder() const;

private:
    std::shared_ptr<Queue> queue_;
};

} // namespace cloister
