/// Needs root, dbus-daemon and polkitd: the connection to a real message bus, and the questions to a real
/// polkit.
#include "daemon/dbus/bus.hpp"
#include "daemon/dbus/polkit.hpp"
#include "tests/root/private_bus.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>
#include <optional>
#include <systemd/sd-bus.h>
#include <unistd.h>

namespace cloister {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dbus::Bus;
using dbus::Message;

constexpr std::uint32_t nobody = 65534;

/// Calls of "Never" are heard and never answered.
Bus::Resident mute() {
    return {.made = [](sd_bus& bus) {
        ::sd_bus_add_filter(
            &bus, nullptr,
            [](sd_bus_message* m, void*, sd_bus_error*) {
                return ::sd_bus_message_is_method_call(m, nullptr, "Never") > 0 ? 1 : 0;
            },
            nullptr);
    }};
}

/// A bus, a connection to it, and the reactor that drives it.
struct OnTheBus : testing::Test {
    test::Scratch scratch{};
    asio::io_context reactor{1};
    std::optional<test::Child> daemon{}, polkitd{};
    std::shared_ptr<Bus> bus = std::make_shared<Bus>(reactor.get_executor(), scratch.address());
    int ups = 0, downs = 0;
    Bus::Token counting = bus->move_in({.up = [this] { ++ups; }, .down = [this] { ++downs; }});

    ~OnTheBus() override { bus->close(); }

    /// Lets the reactor run until something is true.
    void until(const std::function<bool()>& done, std::chrono::milliseconds patience = 20s) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!done() && std::chrono::steady_clock::now() < end) {
            reactor.restart();
            reactor.run_one_for(100ms);
        }
        ASSERT_TRUE(done());
    }
    template <class T> Result<T> result(dbus::Task<Result<T>> task) {
        std::optional<Result<T>> out;
        asio::co_spawn(reactor, std::move(task),
                       [&](std::exception_ptr, Result<T> r) { out = std::move(r); });
        until([&] { return out.has_value(); });
        return out ? *std::move(out) : fail(Code::internal, "it did not end");
    }
    void begin() {
        daemon.emplace(scratch.bus());
        bus->start();
        until([&] { return bus->up(); });
    }
    void with_polkit() {
        begin();
        bool there = false;
        const auto watching =
            bus->watch("type='signal',member='NameOwnerChanged',arg0='org.freedesktop.PolicyKit1'",
                       [&](const Message&) { there = true; });
        ASSERT_TRUE(ask("GetId")); // the watch has been set before this was answered
        polkitd.emplace(std::vector<std::string>{"/usr/lib/polkit-1/polkitd", "--no-debug"},
                        std::vector<std::string>{"DBUS_SYSTEM_BUS_ADDRESS=" + scratch.address()});
        until([&] { return there; });
    }
    Result<Message> ask(const std::string& member, const std::string& of = "org.freedesktop.DBus",
                        std::chrono::milliseconds patience = 10s) {
        auto request = bus->method(of, "/org/freedesktop/DBus", "org.freedesktop.DBus", member);
        if (!request) return std::unexpected(request.error());
        return result(bus->call(*std::move(request), patience));
    }
    Result<polkit::Verdict> verdict(polkit::Subject who, const std::string& action) {
        return result(polkit::check_authorization(bus, std::move(who), action, {{"domain", "vm1"}}));
    }
};

TEST_F(OnTheBus, HasANameAndGetsAnswers) {
    begin();
    EXPECT_TRUE(bus->unique_name().starts_with(":1."));
    const auto id = ask("GetId");
    ASSERT_TRUE(id) << full_text(id.error());
    const char* text = nullptr;
    ASSERT_GE(::sd_bus_message_read(id->raw(), "s", &text), 0);
    EXPECT_EQ(std::string_view(text).size(), 32u);
}

TEST_F(OnTheBus, SaysWhichErrorTheOtherSideGave) {
    begin();
    const auto unknown = ask("NoSuchMember");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::dbus_service);
    EXPECT_EQ(dbus::error_name(unknown.error()), "org.freedesktop.DBus.Error.UnknownMethod");
    const auto nobody_there = ask("Hello", "org.example.Nobody");
    ASSERT_FALSE(nobody_there);
    EXPECT_EQ(nobody_there.error().code, Code::no_server);
}

TEST_F(OnTheBus, WithoutABusFailsAtOnceAndComesUpWhenThereIsOne) {
    bus->start();
    const auto early = ask("GetId");
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, Code::no_connect);
    daemon.emplace(scratch.bus());
    until([&] { return ups == 1; });
    EXPECT_TRUE(ask("GetId"));
}

TEST_F(OnTheBus, ComesBackAfterTheBusHasGone) {
    begin();
    int heard = 0;
    const auto watching = bus->watch("type='signal',interface='org.example.Bus',member='Heard'",
                                     [&](const Message&) { ++heard; });
    daemon->end();
    until([&] { return downs == 1; });
    EXPECT_FALSE(bus->up());
    EXPECT_EQ(bus->unique_name(), "");
    daemon.emplace(scratch.bus());
    until([&] { return ups == 2; });
    ASSERT_TRUE(ask("GetId"));
    sd_bus_message* raw = nullptr; // to ourselves: the watch was set again
    const auto like = bus->method("org.freedesktop.DBus", "/", "a.b", "c");
    ASSERT_GE(::sd_bus_message_new_signal(::sd_bus_message_get_bus(like->raw()), &raw, "/", "org.example.Bus",
                                          "Heard"),
              0);
    ASSERT_TRUE(bus->send(Message(raw)));
    until([&] { return heard == 1; });
}

TEST_F(OnTheBus, CallsEndWhenTheBusDies) {
    begin();
    std::optional<Result<Message>> answer;
    auto silent = std::make_shared<Bus>(reactor.get_executor(), scratch.address());
    const auto silenced = silent->move_in(mute());
    silent->start();
    until([&] { return silent->up(); });
    auto request = bus->method(silent->unique_name(), "/", "org.example.Bus", "Never");
    asio::co_spawn(reactor, bus->call(*request, 60s),
                   [&](std::exception_ptr, Result<Message> r) { answer = std::move(r); });
    auto late = bus->method(silent->unique_name(), "/", "org.example.Bus", "Never");
    const auto timed_out = result(bus->call(*late, 50ms));
    ASSERT_FALSE(timed_out);
    EXPECT_EQ(timed_out.error().code, Code::operation_timeout);
    EXPECT_FALSE(answer);
    daemon->end();
    until([&] { return answer.has_value(); });
    EXPECT_EQ(answer->error().code, Code::no_connect);
    silent->close();
}

TEST_F(OnTheBus, CallsCanBeCancelled) {
    begin();
    std::optional<Result<Message>> answer;
    asio::cancellation_signal give_up;
    auto request = bus->method(bus->unique_name(), "/", "org.example.Bus", "Never");
    const auto silenced = bus->move_in(mute());
    asio::co_spawn(reactor, bus->call(*request, 60s),
                   asio::bind_cancellation_slot(give_up.slot(), [&](std::exception_ptr, Result<Message> r) {
                       answer = std::move(r);
                   }));
    ASSERT_TRUE(ask("GetId"));
    ASSERT_FALSE(answer);
    give_up.emit(asio::cancellation_type::terminal);
    until([&] { return answer.has_value(); });
    EXPECT_EQ(answer->error().code, Code::operation_aborted);
}

TEST_F(OnTheBus, ClosingEndsEveryCall) {
    begin();
    std::optional<Result<Message>> answer;
    auto request = bus->method("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId");
    asio::co_spawn(reactor, bus->call(*request, 60s),
                   [&](std::exception_ptr, Result<Message> r) { answer = std::move(r); });
    asio::post(reactor, [&] { bus->close(); });
    until([&] { return answer.has_value(); });
    EXPECT_FALSE(bus->up());
    EXPECT_EQ(downs, 0);
}

TEST_F(OnTheBus, PolkitKnowsRootAndNobody) {
    with_polkit();
    const auto now = polkit::start_time(static_cast<std::uint32_t>(::getpid()));
    ASSERT_TRUE(now);
    const polkit::ProcessSubject us{static_cast<std::uint32_t>(::getpid()), *now, 0};
    EXPECT_EQ(verdict(us, "org.libvirt.unix.manage").value(), polkit::Verdict::authorized);
    EXPECT_EQ(verdict(polkit::NameSubject{bus->unique_name()}, "org.libvirt.unix.manage").value(),
              polkit::Verdict::authorized);
    // The same process as seen when it was somebody else's.
    const polkit::ProcessSubject other{us.pid, us.start_time, nobody};
    EXPECT_EQ(verdict(other, "org.libvirt.unix.manage").value(), polkit::Verdict::challenge);
    EXPECT_EQ(verdict(other, "org.libvirt.unix.monitor").value(), polkit::Verdict::authorized);
    const auto unknown = verdict(other, "org.example.no-such-action");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::dbus_service);
}

TEST_F(OnTheBus, WithoutPolkitThereIsNoService) {
    const polkit::ProcessSubject us{static_cast<std::uint32_t>(::getpid()), 1, 0};
    EXPECT_EQ(verdict(us, "org.libvirt.unix.manage").value(), polkit::Verdict::no_service);
    begin();
    EXPECT_EQ(verdict(us, "org.libvirt.unix.manage").value(), polkit::Verdict::no_service);
}

TEST(StartTime, IsOfThatProcessAndNoOther) {
    const auto first = polkit::start_time(1),
               own = polkit::start_time(static_cast<std::uint32_t>(::getpid()));
    ASSERT_TRUE(first && own);
    EXPECT_LT(*first, *own);
    EXPECT_FALSE(polkit::start_time(0x7fffffff));
}

} // namespace
} // namespace cloister
