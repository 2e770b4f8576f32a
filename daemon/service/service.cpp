#include "daemon/service/service.hpp"

#include "daemon/acl/by_polkit.hpp"
#include "daemon/forward/neighbours.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cloister {

Service::Service(boost::asio::any_io_executor on, Driver& driver, std::shared_ptr<dbus::Bus> bus,
                 std::optional<std::chrono::seconds> idle_limit, std::function<void()> quit)
    : on_(on), driver_(driver), on_the_bus_(bus, driver, table_, [this] { watch_idleness(); }),
      idle_limit_(idle_limit), quit_(std::move(quit)), idle_(on) {
    const auto& conf = driver.daemon();
    setup_ = {.driver = &driver,
              .events = &driver.events(),
              .gate = &driver.gate(),
              .table = &table_,
              .policy =
                  std::make_shared<const acl::Policy>(acl::policy(conf, acl::by_polkit(std::move(bus)))),
              .forget = [&driver](std::uint64_t connection) { driver.forget_connection(connection); },
              .max_requests = conf.max_client_requests,
              .keepalive = std::chrono::seconds(conf.keepalive_interval),
              .keepalive_count = conf.keepalive_count};
}

Service::~Service() {
    stopping_ = true;
    for (const auto& acceptor : acceptors_) acceptor->stop();
    const auto sessions = std::exchange(sessions_, {});
    for (const auto& [id, session] : sessions) session->close("the daemon ends");
}

void Service::own(std::vector<rpc::Listening> sockets) {
    auto neighbours = std::make_shared<forward::Neighbourhood>();
    for (const auto& socket : sockets) neighbours->ours.insert(socket.path);
    setup_.neighbours = neighbours;
    use_neighbours(driver_, forward::neighbours(on_, neighbours));
    for (auto& socket : sockets)
        acceptors_.push_back(std::make_shared<rpc::Acceptor>(on_, std::move(socket)));
}

void Service::serve() {
    for (const auto& acceptor : acceptors_)
        acceptor->start([this](Fd client, Caller caller) { connected(std::move(client), caller); });
    on_the_bus_.serve();
    watch_idleness();
}

/// The reference stops accepting then, and root waits with the others. Who connects is known before it says a
/// word: only clients that would have to authenticate are turned away.
bool Service::too_many_strangers(const Caller& caller) {
    const auto strangers = static_cast<std::size_t>(std::ranges::count_if(
        sessions_, [](const auto& session) { return !session.second->authenticated(); }));
    const bool full = strangers >= driver_.daemon().max_anonymous_clients;
    if (full && acl::must_authenticate(*setup_.policy, caller)) {
        if (!std::exchange(strangers_refused_, true))
            log(LogLevel::warning, "too many clients that have not authenticated: turning more away");
        return true;
    }
    if (!full) strangers_refused_ = false;
    return false;
}

void Service::connected(Fd socket, Caller caller) {
    if (too_many_strangers(caller)) return;
    const auto id = ++last_session_;
    auto session = std::make_shared<rpc::Session>(on_, setup_, std::move(socket), caller, id);
    sessions_[id] = session;
    session->start([this, id] {
        // Not at once: a session may be in the middle of its own work when its connection ends.
        boost::asio::post(on_, [this, id] { left(id); });
    });
    if (!full_ && sessions_.size() >= driver_.daemon().max_clients) {
        full_ = true;
        log(LogLevel::warning, "too many clients: no more are accepted until one leaves");
        for (const auto& acceptor : acceptors_) acceptor->pause();
    }
}

void Service::left(std::uint64_t id) {
    sessions_.erase(id);
    if (stopping_) return;
    if (full_ && sessions_.size() < driver_.daemon().max_clients) {
        full_ = false;
        for (const auto& acceptor : acceptors_) acceptor->resume();
    }
    watch_idleness();
}

void Service::watch_idleness() {
    if (!idle_limit_ || !sessions_.empty() || stopping_) return;
    idle_.expires_after(*idle_limit_);
    idle_.async_wait([this](boost::system::error_code error) {
        if (error || stopping_ || !sessions_.empty()) return;
        if (driver_.registry().any_active())
            return watch_idleness(); // their events need somebody who listens
        log(LogLevel::info, "nobody needs this daemon: ending");
        quit_();
    });
}

Task<void> Service::shut_down() {
    stopping_ = true;
    idle_.cancel();
    on_the_bus_.leave();
    for (const auto& acceptor : acceptors_) acceptor->stop();
    co_await driver_.shut_down();
    // The last replies are written within this turn, or the client has stopped reading.
    const auto sessions = sessions_;
    for (const auto& [id, session] : sessions) session->close("the daemon ends");
}

} // namespace cloister
