#include "daemon/dbus/names.hpp"

#include "daemon/dbus/codec.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fstream>

namespace cloister::dbus {
namespace {

constexpr std::chrono::milliseconds patience{10'000};
constexpr const char *us = "org.freedesktop.DBus", *path = "/org/freedesktop/DBus";

/// One call to the bus itself with one string, and one value in the reply.
template <class T> Task<Result<T>> asked(std::shared_ptr<Bus> bus, std::string member, std::string argument) {
    CO_TRY(request, bus->method(us, path, us, member));
    Writer(request).text('s', argument);
    CO_TRY(reply, co_await bus->call(std::move(request), patience));
    T out{};
    Reader from(reply);
    read(from, out);
    if (!from.complaint().empty()) co_return fail(Code::dbus_service, from.complaint());
    co_return out;
}

/// ":1.7 (process 4711, libvirt-dbus)"
Task<std::string> owner_text(std::shared_ptr<Bus> bus, std::string name) {
    const auto owner = co_await asked<std::string>(bus, "GetNameOwner", name);
    if (!owner) co_return std::string("somebody who has gone meanwhile");
    const auto pid = co_await asked<std::uint32_t>(bus, "GetConnectionUnixProcessID", *owner);
    if (!pid) co_return *owner;
    std::string program;
    std::getline(std::ifstream("/proc/" + std::to_string(*pid) + "/comm"), program);
    co_return *owner + " (process " + std::to_string(*pid) + ", " + (program.empty() ? "unknown" : program) +
        ")";
}

Task<Result<std::uint32_t>> request_name(std::shared_ptr<Bus> bus, WantedName wanted) {
    constexpr std::uint32_t do_not_queue = 4; // and never "replace existing", nor "allow replacement"
    CO_TRY(request, bus->method(us, path, us, "RequestName"));
    Writer to(request);
    write(to, wanted.name);
    write(to, wanted.wish == Wish::if_free ? do_not_queue : std::uint32_t{0});
    CO_TRY(reply, co_await bus->call(std::move(request), patience));
    std::uint32_t out = 0;
    Reader from(reply);
    read(from, out);
    if (!from.complaint().empty()) co_return fail(Code::dbus_service, from.complaint());
    co_return out;
}

Task<void> claim(std::shared_ptr<Bus> bus, WantedName wanted) {
    enum : std::uint32_t { ours = 1, queued, taken, already_ours };
    const auto answer = co_await request_name(bus, wanted);
    const auto name = "the D-Bus name " + wanted.name;
    if (!answer) {
        log(LogLevel::warning, "cannot have " + name + ": " + full_text(answer.error()));
        co_return;
    }
    if (*answer == ours || *answer == already_ours) {
        log(LogLevel::info, name + " is served by this daemon");
        co_return;
    }
    const auto owner = co_await owner_text(bus, wanted.name);
    const bool waiting = *answer == queued;
    log(waiting ? LogLevel::warning : LogLevel::info,
        name + " is served by " + owner + (waiting ? ": waiting until it is free" : ": left to it"));
}

std::string first_text(const Message& signal) {
    std::string out;
    Reader from(signal);
    read(from, out);
    return out;
}

} // namespace

std::vector<WantedName> wanted_names(const DaemonConf& conf) {
    std::vector<WantedName> out;
    if (conf.dbus_org_cloister) out.push_back({"org.cloister1", Wish::if_free});
    if (conf.dbus_org_libvirt != "no")
        out.push_back({"org.libvirt", conf.dbus_org_libvirt == "yes" ? Wish::in_line : Wish::if_free});
    return out;
}

Names::Names(std::shared_ptr<Bus> bus, std::vector<WantedName> wanted)
    : bus_(std::move(bus)), wanted_(std::move(wanted)) {
    const auto ours = [this](const std::string& name) {
        return std::ranges::count(wanted_, name, &WantedName::name) > 0;
    };
    const std::string from_the_bus =
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',";
    acquired_ = bus_->watch(from_the_bus + "member='NameAcquired'", [ours](const Message& signal) {
        if (const auto name = first_text(signal); ours(name))
            log(LogLevel::debug, "acquired the D-Bus name " + name);
    });
    lost_ = bus_->watch(from_the_bus + "member='NameLost'", [this, ours](const Message& signal) {
        if (const auto name = first_text(signal); ready_ && ours(name))
            log(LogLevel::warning, "the D-Bus name " + name + " was lost");
    });
    living_ = bus_->move_in({.up = [this] { request(); }});
}

void Names::ready() {
    ready_ = true;
    request();
}

void Names::release() {
    ready_ = false;
    for (const auto& one : wanted_) {
        const auto request = bus_->method(us, path, us, "ReleaseName");
        if (!request) return; // without a bus there is nothing to give up
        Writer(*request).text('s', one.name);
        (void)bus_->send(
            *request); // likewise; of a name that is not ours the bus says so, and nobody listens
    }
}

void Names::request() {
    if (!ready_ || !bus_->up()) return;
    for (const auto& one : wanted_)
        boost::asio::co_spawn(bus_->executor(), claim(bus_, one), boost::asio::detached);
}

} // namespace cloister::dbus
