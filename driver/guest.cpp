#include "driver/guest.hpp"

#include "conf/domain/domain.hpp"

namespace cloister {

Guest::Guest(boost::asio::any_io_executor on, std::shared_ptr<const Domain> what)
    : name(what->name), uuid(what->uuid.value_or(Uuid{})), definition(std::move(what)),
      since(std::chrono::steady_clock::now()), jobs(on), stopped(on) {
    stopped.expires_at(boost::asio::steady_timer::time_point::max());
}

Guest::~Guest() = default;

void Guest::become(Status next) {
    if (next == status) return;
    status = next;
    since = std::chrono::steady_clock::now();
}

} // namespace cloister
