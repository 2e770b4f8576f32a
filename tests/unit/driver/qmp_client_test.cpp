/// The monitor's client against the other end of a socket pair that the test plays byte by byte: what QEMU
/// itself never does (late, wrong, broken answers) can only be had that way. The real QEMU is in the root
/// suite.
#include "driver/qmp/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace cloister;
using namespace std::chrono_literals;

namespace {

struct Wire : testing::Test {
    boost::asio::io_context io;
    int far = -1;
    std::shared_ptr<Monitor> monitor;
    std::vector<std::string> events;
    std::vector<std::string> closed;

    MonitorHooks hooks() {
        return {.on_event = [this](std::string name, boost::json::object,
                                   qmp::EventTime) { events.push_back(name); },
                .on_closed = [this](Error why) { closed.push_back(why.message); }};
    }
    Result<> meet(std::string_view greeting, std::chrono::milliseconds within = 5s) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        far = ends[1];
        say(greeting);
        Result<std::shared_ptr<Monitor>> met;
        run([&]() -> Task<void> { met = co_await Monitor::adopt(ends[0], hooks(), within); }());
        if (!met) return std::unexpected(met.error());
        monitor = *met;
        EXPECT_EQ(heard(), "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
        return {};
    }
    Result<> meet() { return meet(hello); }
    static constexpr std::string_view hello = "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,"
                                              "\"major\":7},\"package\":\"\"},\"capabilities\":[]}}\r\n"
                                              "{\"return\":{},\"id\":1}\r\n";

    void say(std::string_view bytes) {
        EXPECT_EQ(::write(far, bytes.data(), bytes.size()), ssize_t(bytes.size()));
    }
    std::string heard() {
        std::string out(65536, '\0');
        out.resize(static_cast<std::size_t>(
            std::max<ssize_t>(0, ::recv(far, out.data(), out.size(), MSG_DONTWAIT))));
        return out;
    }
    /// Runs the reactor until `task` is over.
    void run(Task<void> task) {
        bool over = false;
        io.restart();
        boost::asio::co_spawn(
            io,
            [](Task<void> t, bool& flag) -> Task<void> {
                co_await std::move(t);
                flag = true;
            }(std::move(task), over),
            boost::asio::detached);
        while (!over && io.run_one_for(10s)) {
        }
        ASSERT_TRUE(over);
    }
    Result<boost::json::value> answer(Monitor::Sent sent) {
        Result<boost::json::value> out;
        run([](Monitor::Sent s, Result<boost::json::value>& to) -> Task<void> {
            to = co_await s.answer();
        }(std::move(sent), out));
        return out;
    }
    ~Wire() override {
        monitor.reset();
        if (far >= 0) ::close(far);
        io.run_for(1s);
    }
};

} // namespace

TEST_F(Wire, NegotiatesAndKnowsTheVersion) {
    ASSERT_TRUE(meet());
    EXPECT_EQ(monitor->qemu_version(), 7'002'022u);
}

TEST_F(Wire, GivesUpOnASilentPeer) {
    const auto met = meet("", 20ms);
    ASSERT_FALSE(met);
    EXPECT_EQ(met.error().code, Code::operation_timeout);
    EXPECT_EQ(met.error().message, "timed out waiting for the greeting of QEMU's monitor");
}

TEST_F(Wire, MatchesAnswersThatComeTogether) {
    ASSERT_TRUE(meet());
    auto first = monitor->send("query-status");
    auto second = monitor->send("nope");
    EXPECT_EQ(heard(), "{\"execute\":\"query-status\",\"id\":2}\n{\"execute\":\"nope\",\"id\":3}\n");
    say("{\"return\":5,\"id\":2}\r\n{\"event\":\"STOP\"}\r\n"
        "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command nope has not been "
        "found\"},\"id\":3}\r\n");
    EXPECT_EQ(answer(std::move(first)).value(), boost::json::value(5));
    const auto refused = answer(std::move(second));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::internal);
    EXPECT_EQ(refused.error().message,
              "unable to execute QEMU command 'nope': The command nope has not been found");
    EXPECT_EQ(qmp::error_class(refused.error()), "CommandNotFound");
    EXPECT_EQ(events, std::vector<std::string>{"STOP"});
}

TEST_F(Wire, ForgetsACommandWhoseTimeIsOver) {
    ASSERT_TRUE(meet());
    EXPECT_EQ(answer(monitor->send("slow", {}, 10ms)).error().code, Code::operation_timeout);
    say("{\"return\":1,\"id\":2}\r\n"); // late: nobody waits
    auto next = monitor->send("next");
    say("{\"return\":2,\"id\":3}\r\n");
    EXPECT_EQ(answer(std::move(next)).value(), boost::json::value(2));
    EXPECT_FALSE(monitor->closed());
}

TEST_F(Wire, EndsEverythingWhenQemuIsGone) {
    ASSERT_TRUE(meet());
    auto waiting = monitor->send("cont");
    ::close(std::exchange(far, -1));
    EXPECT_EQ(answer(std::move(waiting)).error().message, "End of file from qemu monitor");
    EXPECT_EQ(closed, std::vector<std::string>{"End of file from qemu monitor"});
    EXPECT_EQ(answer(monitor->send("cont")).error().message, "End of file from qemu monitor");
}

TEST_F(Wire, EndsAtABrokenLine) {
    ASSERT_TRUE(meet());
    auto waiting = monitor->send("cont");
    say("hello\r\n");
    EXPECT_EQ(answer(std::move(waiting)).error().message, "QEMU's monitor sent what is no message: 'hello'");
    EXPECT_EQ(closed.size(), 1u);
}

TEST_F(Wire, TellsThoseWhoWaitWhyItWasClosed) {
    ASSERT_TRUE(meet());
    auto waiting = monitor->send("cont");
    monitor->close(Error{.code = Code::operation_aborted, .message = "destroyed"});
    EXPECT_EQ(answer(std::move(waiting)).error().message, "destroyed");
    EXPECT_EQ(closed, std::vector<std::string>{}); // who closes knows
}

TEST_F(Wire, SendsDescriptorsWithTheirCommand) {
    ASSERT_TRUE(meet());
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    auto sent = monitor->send("getfd", {{"fdname", "x"}}, 5s, {pipe_ends[1]});
    ::close(pipe_ends[1]);
    char bytes[256], control[CMSG_SPACE(sizeof(int))];
    iovec part{bytes, sizeof bytes};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto n = ::recvmsg(far, &message, MSG_CMSG_CLOEXEC);
    EXPECT_EQ(std::string(bytes, static_cast<std::size_t>(n)),
              "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"},\"id\":2}\n");
    ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
    int got = -1;
    std::memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
    EXPECT_EQ(::write(got, "!", 1), 1);
    char byte = 0;
    EXPECT_EQ(::read(pipe_ends[0], &byte, 1), 1);
    EXPECT_EQ(byte, '!');
    ::close(got);
    ::close(pipe_ends[0]);
    say("{\"return\":{},\"id\":2}\r\n");
    EXPECT_TRUE(answer(std::move(sent)));
}

TEST_F(Wire, WritesMoreThanTheSocketTakesAtOnce) {
    ASSERT_TRUE(meet());
    const std::string big(2'000'000, 'a');
    auto sent = monitor->send("big", {{"x", big}});
    std::string all;
    run([&]() -> Task<void> {
        for (auto end = std::chrono::steady_clock::now() + 10s;
             all.size() < big.size() + 41 && std::chrono::steady_clock::now() < end;) {
            all += heard();
            co_await boost::asio::post(io, boost::asio::use_awaitable);
        }
    }());
    EXPECT_EQ(all.substr(0, 30), "{\"execute\":\"big\",\"arguments\":{");
    EXPECT_TRUE(all.ends_with("\"},\"id\":2}\n"));
    say("{\"return\":{},\"id\":2}\r\n");
    EXPECT_TRUE(answer(std::move(sent)));
}

TEST(MonitorConnect, SaysWhenNothingListens) {
    boost::asio::io_context io;
    Result<std::shared_ptr<Monitor>> met;
    boost::asio::co_spawn(
        io, [&]() -> Task<void> { met = co_await Monitor::connect("/nonexistent/monitor.sock", {}, 1s); },
        boost::asio::detached);
    io.run_for(5s);
    ASSERT_FALSE(met);
    EXPECT_EQ(met.error().code, Code::system);
    EXPECT_EQ(met.error().message, "failed to connect to monitor socket: No such file or directory");
}
