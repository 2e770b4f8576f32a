#include "conf/call/connect.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/call/domain_migrate.hpp"
#include "tests/unit/daemon/peer.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cloister::rpc {
namespace {

/// How the driver's end of the last stream went.
struct Seen {
    boost::asio::io_context* reactor = nullptr;
    boost::asio::steady_timer* hold = nullptr; ///< when set, the driver waits for it before it takes more
    Bytes received{};
    std::vector<std::string> errors{};
    bool done = false;
};
Seen seen;

Bytes pattern(std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i * 7 % 251);
    return out;
}

/// Sends a megabyte, then the end.
Task<void> download(std::shared_ptr<Pipe> pipe) {
    if (auto sent = co_await pipe->to_client(pattern(1'000'000)); !sent)
        seen.errors.push_back(full_text(sent.error()));
    pipe->finish({});
    seen.done = true;
}
/// Takes everything, and is content unless the client sent the word "bad".
Task<void> upload(std::shared_ptr<Pipe> pipe) {
    while (true) {
        if (seen.hold) co_await seen.hold->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        auto got = co_await pipe->from_client();
        if (!got) seen.errors.push_back(full_text(got.error()));
        if (!got || got->empty()) break;
        seen.received.insert(seen.received.end(), got->begin(), got->end());
    }
    const auto bad = seen.received == Bytes{std::byte{'b'}, std::byte{'a'}, std::byte{'d'}};
    pipe->finish(bad ? Result<>(fail(Code::operation_failed, "the disk is full")) : Result<>());
    seen.done = true;
}
/// A console: gives back what it gets until the client goes.
Task<void> echo(std::shared_ptr<Pipe> pipe) {
    while (true) {
        auto got = co_await pipe->from_client();
        if (!got) seen.errors.push_back(full_text(got.error()));
        if (!got || got->empty()) break;
        if (!co_await pipe->to_client(*std::move(got))) break;
    }
    seen.done = true; // and lets go of the pipe without a word
}

struct Screenshot {
    using In = call::DomainScreenshotIn;
    using Out = call::DomainScreenshotOut;
    static constexpr std::array needs{Permission{"domain", "screenshot"}};
    static Task<Result<Out>> run(Call call, In in) {
        if (in.screen != 0) co_return fail(Code::invalid_arg, "only screen 0 is supported");
        boost::asio::co_spawn(*seen.reactor, download(call.stream), boost::asio::detached);
        co_return Out{.mime = Text<>{"image/png"}};
    }
};
struct Tunnel {
    using In = call::Nothing;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "migrate"}};
    static Task<Result<Out>> run(Call call, In) {
        boost::asio::co_spawn(*seen.reactor, upload(call.stream), boost::asio::detached);
        co_return Out{};
    }
};
struct Console {
    using In = call::DomainOpenConsoleIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "open_device"}};
    static Task<Result<Out>> run(Call call, In) {
        boost::asio::co_spawn(*seen.reactor, echo(call.stream), boost::asio::detached);
        co_return Out{};
    }
};

class Streams : public testing::Test {
protected:
    boost::asio::io_context reactor{1};
    boost::asio::steady_timer hold{reactor, std::chrono::steady_clock::time_point::max()};
    EventHub hub{};
    Gate gate{reactor.get_executor()};
    std::array<Entry, 3> entries{entry<Tunnel>(148), entry<Console>(201), entry<Screenshot>(211)};
    Table table{entries};
    Peer peer{reactor, {.events = &hub, .gate = &gate, .table = &table}};
    std::uint32_t serial = 0;
    std::int32_t procedure = 0;

    void SetUp() override {
        seen = {.reactor = &reactor};
        peer.call(1, call::ConnectOpenIn{.name = Text<>{"qemu:///system"}});
        peer.next();
    }
    template <class In = call::Nothing> Frame begin(std::int32_t number, const In& in = {}) {
        procedure = number;
        serial = peer.call(number, in);
        return peer.next();
    }
    Header packet(MessageStatus status) const {
        return {.program = call::remote_program,
                .procedure = procedure,
                .type = MessageType::stream,
                .serial = serial,
                .status = status};
    }
    void say(MessageStatus status, const Bytes& body = {}) { peer.send(packet(status), body); }
};

Bytes word(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

TEST_F(Streams, SendDataAfterTheReplyInPacketsThatOldClientsTake) {
    EXPECT_EQ(begin(211, Screenshot::In{}).header.type, MessageType::reply);
    Bytes got;
    while (true) {
        const auto frame = peer.next();
        ASSERT_EQ(frame.header, packet(MessageStatus::more));
        if (frame.body.empty()) break; // the end of the data
        EXPECT_LE(frame.body.size(), 262'120u);
        got.insert(got.end(), frame.body.begin(), frame.body.end());
    }
    EXPECT_EQ(got, pattern(1'000'000));
    say(MessageStatus::ok);
    EXPECT_EQ(peer.next(), (Frame{packet(MessageStatus::ok), 0, {}}));
    say(MessageStatus::ok); // stray: dropped
    EXPECT_TRUE(peer.silent());
    EXPECT_EQ(seen.errors, std::vector<std::string>{});
}

TEST_F(Streams, AnswerAnAbortWithOkAndStopTheDriver) {
    begin(211, Screenshot::In{});
    say(MessageStatus::error);
    while (true) {
        const auto frame = peer.next();
        if (frame.header == packet(MessageStatus::ok)) break;
        ASSERT_EQ(frame.header, packet(MessageStatus::more));
    }
    while (!seen.done) peer.turn();
    EXPECT_TRUE(peer.silent());
}

TEST_F(Streams, OfAFailedCallDoNotExist) {
    const auto reply = begin(211, Screenshot::In{.screen = 1});
    EXPECT_EQ(reply.header.type, MessageType::reply);
    EXPECT_EQ(Peer::error(reply).code, 8);
    say(MessageStatus::ok);
    EXPECT_TRUE(peer.silent());
}

TEST_F(Streams, FinishAnUploadWhenTheDriverHasTakenAllOfIt) {
    begin(148);
    for (int i = 0; i < 30; ++i) say(MessageStatus::more, word("data "));
    say(MessageStatus::ok);
    EXPECT_EQ(peer.next(), (Frame{packet(MessageStatus::ok), 0, {}}));
    EXPECT_EQ(seen.received.size(), 150u);
}

TEST_F(Streams, TellWhyAnUploadFailed) {
    begin(148);
    say(MessageStatus::more, word("bad"));
    say(MessageStatus::ok);
    const auto frame = peer.next();
    EXPECT_EQ(frame.header, packet(MessageStatus::error));
    EXPECT_EQ(Peer::error(frame).message.value().value, "operation failed: the disk is full");
    EXPECT_TRUE(peer.silent());
}

TEST_F(Streams, HoldBackAClientThatSendsFasterThanTheDriverTakes) {
    seen.hold = &hold;
    begin(148);
    const Bytes chunk(200'000);
    std::size_t sent = 0;
    for (int i = 0; i < 6; ++i, sent += chunk.size()) say(MessageStatus::more, chunk);
    EXPECT_TRUE(peer.silent());
    EXPECT_EQ(seen.received.size(), 0u);
    say(MessageStatus::ok);
    hold.expires_at(std::chrono::steady_clock::now()); // from now on the driver takes what it gets
    while (!seen.done) peer.turn();
    EXPECT_EQ(seen.received.size(), sent);
    EXPECT_EQ(peer.next(), (Frame{packet(MessageStatus::ok), 0, {}}));
}

TEST_F(Streams, CarryAConsoleBothWays) {
    begin(201, Console::In{});
    say(MessageStatus::more, word("hello"));
    EXPECT_EQ(peer.next(), (Frame{packet(MessageStatus::more), 0, word("hello")}));
    say(MessageStatus::ok);
    EXPECT_EQ(peer.next(), (Frame{packet(MessageStatus::ok), 0, {}}));
    EXPECT_TRUE(seen.done);
}

TEST_F(Streams, RefuseHolesNobodyAskedFor) {
    begin(201, Console::In{});
    auto hole = packet(MessageStatus::more);
    hole.type = MessageType::stream_hole;
    peer.send(hole, Bytes(12));
    EXPECT_EQ(Peer::error(peer.next()).code, 39);
    EXPECT_TRUE(peer.silent());
}

TEST_F(Streams, EndWithTheirConnection) {
    begin(201, Console::In{});
    peer.session().close("the client is gone");
    while (!seen.done) peer.turn();
    EXPECT_EQ(seen.errors, std::vector<std::string>{"operation aborted: the client has closed the stream"});
}

} // namespace
} // namespace cloister::rpc
