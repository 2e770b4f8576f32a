/// The daemon as a whole: sockets, clients, and the way out. Reactor thread only.
#pragma once

#include "conf/settings/daemon_conf.hpp"
#include "daemon/dbus/services.hpp"
#include "daemon/rpc/listener.hpp"
#include "daemon/rpc/session.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <vector>

namespace cloister {

class Service {
public:
    /// `bus`: where the services for desktop tools are, and who answers what the settings want asked, when
    /// there is one. `idle_limit`: without clients and
    /// running guests for so long, `quit` is called; absent: never.
    Service(boost::asio::any_io_executor on, Driver& driver, std::shared_ptr<dbus::Bus> bus,
            std::optional<std::chrono::seconds> idle_limit, std::function<void()> quit);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Takes the sockets over: what of their files is ours goes with the service.
    void own(std::vector<rpc::Listening> sockets);
    /// Begins to accept.
    void serve();
    /// No new clients, no new calls; completes when the calls inside have been answered. Guests keep running.
    Task<void> shut_down();

private:
    void connected(Fd socket, Caller caller);
    bool too_many_strangers(const Caller& caller);
    void left(std::uint64_t id);
    void watch_idleness();

    boost::asio::any_io_executor on_;
    Driver& driver_;
    rpc::Table table_{};
    rpc::SessionSetup setup_{};
    dbus::Services on_the_bus_;
    std::vector<std::shared_ptr<rpc::Acceptor>> acceptors_{};
    std::map<std::uint64_t, std::shared_ptr<rpc::Session>> sessions_{};
    std::uint64_t last_session_ = 0;
    std::optional<std::chrono::seconds> idle_limit_;
    std::function<void()> quit_;
    boost::asio::steady_timer idle_;
    bool full_ = false, stopping_ = false;
    bool strangers_refused_ = false; ///< and logged
};

} // namespace cloister
