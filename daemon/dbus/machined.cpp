#include "daemon/dbus/machined.hpp"

#include "conf/base/tr.hpp"
#include "driver/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <string_view>
#include <systemd/sd-bus.h>

namespace cloister::dbus {
namespace {

constexpr auto service = "org.freedesktop.machine1";
constexpr std::chrono::milliseconds for_the_bus{
    2000}; ///< once, when the daemon starts: guests marked autostart
constexpr std::chrono::milliseconds for_names{5000};
constexpr std::chrono::milliseconds for_a_scope{
    30000}; ///< a job of systemd's, which may have others before it

/// Whether a list of names has this one.
bool lists(const Message& reply, std::string_view wanted) {
    bool found = false;
    if (::sd_bus_message_enter_container(reply.raw(), 'a', "s") < 0) return false;
    for (const char* name = nullptr; ::sd_bus_message_read(reply.raw(), "s", &name) > 0;)
        found |= name == wanted;
    return found;
}

int append(sd_bus_message* m, const Machine& machine) {
    const auto property = [m](const char* name, const char* type, const char* value) {
        return ::sd_bus_message_append(m, "(sv)", name, type, value);
    };
    const auto list = [m](const char* name, const char* unit) {
        return ::sd_bus_message_append(m, "(sv)", name, "as", 1, unit);
    };
    int done = ::sd_bus_message_append(m, "s", machine.name.c_str());
    if (done >= 0)
        done = ::sd_bus_message_append_array(m, 'y', machine.uuid.bytes.data(), machine.uuid.bytes.size());
    if (done >= 0)
        done = ::sd_bus_message_append(m, "ssus", "cloister-qemu", "vm",
                                       static_cast<std::uint32_t>(machine.pid), "");
    if (done >= 0)
        done = ::sd_bus_message_append(m, "ai", 0); // its network cards are of no name space of its own
    if (done >= 0) done = ::sd_bus_message_open_container(m, 'a', "(sv)");
    if (done >= 0) done = property("Slice", "s", machine.slice.c_str());
    // When the host shuts down: guests are asked first, then ended, and the daemon sees it.
    if (done >= 0) done = list("After", "cloisterd.service");
    if (done >= 0) done = list("Before", "cloister-guest-shutdown.target");
    if (done >= 0) done = ::sd_bus_message_close_container(m);
    return done;
}

} // namespace

Machined::Machined(std::shared_ptr<Bus> bus)
    : bus_(std::move(bus)), up_(bus_->executor(), boost::asio::steady_timer::time_point::min()),
      resident_(bus_->move_in({.made = {}, .up = [this] { up_.cancel(); }, .down = {}})) {}

/// The bus is usually there before us, but answers a moment after us. Waited for once: a host may have none.
Task<void> Machined::wait_for_bus() {
    using Timer = boost::asio::steady_timer;
    if (bus_->up()) co_return;
    if (up_.expiry() == Timer::time_point::min()) up_.expires_after(for_the_bus);
    if (Timer::clock_type::now() >= up_.expiry()) co_return;
    (void)co_await up_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable)); // cancelled: it is up
}

Task<bool> Machined::here() {
    co_await wait_for_bus();
    if (known_) co_return *known_ && bus_->up();
    auto request = bus_->method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                "ListActivatableNames");
    if (!request) co_return false;
    const auto names = co_await bus_->call(*std::move(request), for_names);
    if (!names) {
        log(LogLevel::warning, "asking for systemd-machined: " + full_text(names.error()));
        co_return false;
    }
    known_ = lists(*names, service);
    log(LogLevel::info, *known_ ? "guests get scopes of systemd-machined" : "there is no systemd-machined");
    co_return *known_;
}

Task<Result<>> Machined::make(Machine machine) {
    CO_TRY(request, bus_->method(service, "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager",
                                 "CreateMachineWithNetwork"));
    if (const int done = append(request.raw(), machine); done < 0)
        co_return std::unexpected(system_error(-done, tr("cannot ask systemd-machined")));
    auto made = co_await bus_->call(std::move(request), for_a_scope);
    if (!made) {
        auto error = std::move(made).error();
        error.layer = Layer::cgroup;
        co_return std::unexpected(std::move(error).during("asking systemd-machined for a scope"));
    }
    co_return Result<>();
}

} // namespace cloister::dbus
