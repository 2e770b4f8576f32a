#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/call/event.hpp"
#include "tests/unit/daemon/peer.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cloister::rpc {
namespace {

/// Answers at once, with the name it was asked for.
struct Lookup {
    using In = call::DomainLookupByNameIn;
    using Out = call::DomainLookupByNameOut;
    static constexpr std::array needs{Permission{"domain", "getattr"}};
    static Task<Result<Out>> run(Call, In in) {
        if (in.name.value == "none") co_return fail(Code::no_domain, "no domain with matching name 'none'");
        if (in.name.value == "bug") throw std::runtime_error("a bug");
        co_return Out{.dom = {.name = in.name}};
    }
};
/// Answers when the test lets it.
struct Slow {
    using In = call::Nothing;
    using Out = call::ConnectGetHostnameOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static inline boost::asio::steady_timer* gate = nullptr;
    static inline int inside = 0;
    static Task<Result<Out>> run(Call, In) {
        ++inside;
        co_await gate->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        co_return Out{.hostname = {"h"}};
    }
};
/// Emits an event before it answers.
struct Suspend {
    using In = call::DomainSuspendIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "suspend"}};
    static inline EventHub* hub = nullptr;
    static Task<Result<Out>> run(Call, In) {
        hub->emit(event::Lifecycle{.domain = {.name = "vm", .id = 1},
                                   .note = {Life::suspended, Suspended::paused}});
        co_return Out{};
    }
};
/// Gives the client the descriptors that it sent, and one more.
struct Descriptors {
    using In = call::DomainOpenGraphicsFdIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "open_graphics"}};
    static Task<Result<Out>> run(Call call, In) {
        if (call.files_in) *call.files_out = std::move(*call.files_in);
        call.files_out->emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        co_return Out{};
    }
};

class Sessions : public testing::Test {
protected:
    boost::asio::io_context reactor{1};
    boost::asio::steady_timer slow{reactor, std::chrono::steady_clock::time_point::max()};
    EventHub hub{};
    Gate gate{reactor.get_executor()};
    std::array<Entry, 4> entries{entry<Lookup>(23), entry<Suspend>(34), entry<Slow>(59),
                                 entry<Descriptors>(343)};
    Table table{entries};
    SessionSetup setup{.events = &hub, .gate = &gate, .table = &table};

    void SetUp() override {
        Slow::gate = &slow;
        Slow::inside = 0;
        Suspend::hub = &hub;
    }
};

void opened(Peer& peer, std::uint32_t flags = 0) {
    peer.call(1, call::ConnectOpenIn{.name = Text<>{"qemu:///system"}, .flags = flags});
    EXPECT_EQ(peer.next().header.status, MessageStatus::ok);
}
std::string text(const Frame& frame) {
    const auto error = Peer::error(frame);
    return std::to_string(error.code) + "/" + std::to_string(error.domain) + " " +
           error.message.value().value;
}

TEST_F(Sessions, RepeatTheSerialOfACallBitForBit) {
    Peer peer(reactor, setup);
    opened(peer);
    for (const std::uint32_t serial : {0u, 5u, 5u, 0xffffffffu}) {
        peer.send({.program = call::remote_program, .procedure = 23, .serial = serial},
                  xdr::encode(Lookup::In{.name = {"vm"}}).value());
        const auto reply = peer.next();
        EXPECT_EQ(reply.header, (Header{.program = call::remote_program,
                                        .procedure = 23,
                                        .type = MessageType::reply,
                                        .serial = serial}));
        EXPECT_EQ(xdr::decode<Lookup::Out>(reply.body).value().dom.name.value, "vm");
    }
}

TEST_F(Sessions, TellWhyTheyRefuseACall) {
    Peer peer(reactor, setup);
    peer.call(23, Lookup::In{});
    EXPECT_EQ(text(peer.next()), "1/7 internal error: hypervisor connection not open");
    opened(peer);
    peer.call(9999);
    EXPECT_EQ(text(peer.next()), "39/7 unknown procedure: 9999");
    peer.call(107); // an event
    EXPECT_EQ(text(peer.next()), "39/7 unknown procedure: 107");
    peer.send({.program = 0x12345678, .procedure = 1});
    EXPECT_EQ(text(peer.next()), "39/7 Cannot find program 305419896 version 1");
    peer.send({.program = call::remote_program, .version = 2, .procedure = 3});
    EXPECT_EQ(text(peer.next()), "39/7 Cannot find program 536903814 version 2");
    peer.send({.program = call::remote_program, .procedure = 23, .status = MessageStatus::error});
    EXPECT_EQ(text(peer.next()), "39/7 Unexpected message status 1");
    peer.send({.program = call::remote_program, .procedure = 23}, Bytes(4, std::byte{1}));
    EXPECT_EQ(text(peer.next()), "39/7 Unable to decode message payload");
    peer.call(23, Lookup::In{.name = {"none"}});
    EXPECT_EQ(text(peer.next()), "42/10 Domain not found: no domain with matching name 'none'");
    peer.call(23, Lookup::In{.name = {"bug"}});
    EXPECT_EQ(text(peer.next()), "1/10 internal error: a bug");
}

TEST_F(Sessions, DropWhatIsNoCallAndGoOn) {
    Peer peer(reactor, setup);
    opened(peer);
    for (const int type : {1, 2, 3, 6, 9})
        peer.send({.program = call::remote_program, .procedure = 23, .type = static_cast<MessageType>(type)},
                  Bytes(8));
    const auto serial = peer.call(23, Lookup::In{.name = {"vm"}});
    EXPECT_EQ(peer.next().header.serial, serial);
}

TEST_F(Sessions, OpenOnceAndOnlyWhatTheyAre) {
    Peer peer(reactor, setup);
    const auto answer = [&](std::optional<Text<>> name) {
        peer.call(1, call::ConnectOpenIn{.name = std::move(name)});
        return text(peer.next());
    };
    EXPECT_EQ(answer(std::nullopt), "1/7 internal error: connection not open");
    EXPECT_EQ(answer(Text<>{"xen:///system"}), "5/0 no connection driver available for xen:///system");
    EXPECT_EQ(answer(Text<>{"qemu+unix:///system"}),
              "5/0 no connection driver available for qemu+unix:///system");
    EXPECT_EQ(answer(Text<>{"qemu://h/system"}), "5/0 no connection driver available for qemu://h/system");
    EXPECT_EQ(answer(Text<>{"qemu:///"}),
              "1/0 internal error: unexpected qemu URI path '/', try qemu:///system");
    peer.call(1, call::ConnectOpenIn{.name = Text<>{"qemu:///system?foo=bar"}, .flags = 0x80000002});
    EXPECT_EQ(peer.next().header.status, MessageStatus::ok);
    EXPECT_EQ(answer(Text<>{"qemu:///system"}), "1/7 internal error: connection already open");
    peer.call(110);
    EXPECT_EQ(xdr::decode<call::ConnectGetUriOut>(peer.next().body).value().uri.value,
              "qemu:///system?foo=bar");
}

TEST_F(Sessions, AnswerFeaturesBeforeTheyAreOpenOnlyForKeepalive) {
    Peer peer(reactor, setup);
    const auto feature = [&](std::int32_t n) {
        peer.call(60, call::ConnectSupportsFeatureIn{.feature = n});
        return peer.next();
    };
    EXPECT_EQ(xdr::decode<call::ConnectSupportsFeatureOut>(feature(10).body).value().supported, 1);
    EXPECT_EQ(text(feature(14)), "1/7 internal error: hypervisor connection not open");
    opened(peer);
    for (std::int32_t n = -1; n < 20; ++n) {
        const bool have = n == 8 || n == 9 || n == 10 || n == 14 || n == 15 || n == 16;
        EXPECT_EQ(xdr::decode<call::ConnectSupportsFeatureOut>(feature(n).body).value().supported, have) << n;
    }
}

TEST_F(Sessions, ReplyToCloseAndThenEnd) {
    Peer peer(reactor, setup);
    opened(peer);
    const auto serial = peer.call(2);
    EXPECT_EQ(peer.next().header.serial, serial);
    EXPECT_TRUE(peer.closed());
}

TEST_F(Sessions, EndAtAFrameThatCannotBe) {
    Peer peer(reactor, setup);
    peer.raw(Bytes(4));
    EXPECT_TRUE(peer.closed());
}

TEST_F(Sessions, AnswerPingsWhileCallsAreInProgress) {
    Peer peer(reactor, setup);
    opened(peer);
    for (int i = 0; i < 9; ++i) peer.call(59);
    peer.send({.program = keepalive_program, .procedure = keepalive_ping, .type = MessageType::message});
    EXPECT_EQ(
        peer.next().header,
        (Header{.program = keepalive_program, .procedure = keepalive_pong, .type = MessageType::message}));
    EXPECT_EQ(Slow::inside, 5); // max_client_requests
    std::vector<std::uint32_t> serials;
    while (serials.size() < 9) {
        if (peer.silent()) slow.cancel();
        serials.push_back(peer.next().header.serial);
    }
    std::ranges::sort(serials);
    EXPECT_EQ(serials, (std::vector<std::uint32_t>{2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(Sessions, CompleteThirtyPipelinedCalls) {
    Peer peer(reactor, setup);
    opened(peer);
    for (int i = 0; i < 30; ++i) peer.call(23, Lookup::In{.name = {"vm"}});
    for (std::uint32_t i = 2; i < 32; ++i) EXPECT_EQ(peer.next().header.serial, i);
}

TEST_F(Sessions, StopReadingAClientWithTooManyWaitingCalls) {
    Peer peer(reactor, setup);
    opened(peer);
    constexpr int many = 90; // 5 in progress, 64 waiting, the rest in the socket
    for (int i = 0; i < many; ++i) peer.call(59);
    EXPECT_TRUE(peer.silent());
    for (int answered = 0; answered < many; ++answered) {
        if (peer.silent()) slow.cancel();
        peer.next();
    }
    EXPECT_EQ(Slow::inside, many);
}

TEST_F(Sessions, RefuseChangesOnReadOnlyConnections) {
    Peer by_socket(reactor, setup, {.read_only = true});
    opened(by_socket);
    by_socket.call(34, Suspend::In{});
    EXPECT_EQ(text(by_socket.next()),
              "29/20 operation forbidden: read only access prevents virDomainSuspend");
    Peer by_flag(reactor, setup);
    opened(by_flag, 1);
    by_flag.call(34, Suspend::In{});
    EXPECT_EQ(text(by_flag.next()), "29/20 operation forbidden: read only access prevents virDomainSuspend");
    by_flag.call(23, Lookup::In{.name = {"vm"}});
    EXPECT_EQ(by_flag.next().header.status, MessageStatus::ok);
}

TEST_F(Sessions, SendTheEventBeforeTheReplyOfTheCallThatCausedIt) {
    Peer peer(reactor, setup);
    opened(peer);
    peer.call(316, call::ConnectDomainEventCallbackRegisterAnyIn{.event_id = 0});
    const auto id =
        xdr::decode<call::ConnectDomainEventCallbackRegisterAnyOut>(peer.next().body).value().callback_id;
    peer.call(34, Suspend::In{});
    const auto message = peer.next();
    EXPECT_EQ(
        message.header,
        (Header{
            .program = call::remote_program, .procedure = 318, .type = MessageType::message, .serial = 1}));
    const auto body = xdr::decode<call::DomainEventCallbackLifecycleMsg>(message.body).value();
    EXPECT_EQ(body.callback_id, id);
    EXPECT_EQ(body.msg,
              (call::DomainEventLifecycleMsg{.dom = {.name = {"vm"}, .id = 1}, .event = 3, .detail = 0}));
    EXPECT_EQ(peer.next().header.procedure, 34);
}

TEST_F(Sessions, TrackAnEventOnceWhateverTheRegistration) {
    Peer peer(reactor, setup);
    opened(peer);
    peer.call(316, call::ConnectDomainEventCallbackRegisterAnyIn{.event_id = 0});
    EXPECT_EQ(peer.next().header.status, MessageStatus::ok);
    peer.call(316, call::ConnectDomainEventCallbackRegisterAnyIn{.event_id = 0});
    EXPECT_EQ(text(peer.next()), "8/0 invalid argument: event callback already tracked");
    peer.call(105);
    EXPECT_EQ(text(peer.next()), "8/0 invalid argument: event callback already tracked");
    peer.call(316, call::ConnectDomainEventCallbackRegisterAnyIn{.event_id = 0, .dom = call::DomainHandle{}});
    EXPECT_EQ(peer.next().header.status, MessageStatus::ok);
    peer.call(316, call::ConnectDomainEventCallbackRegisterAnyIn{.event_id = 999});
    EXPECT_EQ(text(peer.next()), "1/7 internal error: unsupported event ID 999");
    peer.call(317, call::ConnectDomainEventCallbackDeregisterAnyIn{.callback_id = 12345});
    EXPECT_EQ(text(peer.next()), "1/7 internal error: domain event callback 12345 not registered");
    peer.call(167, call::ConnectDomainEventRegisterAnyIn{.event_id = 16});
    EXPECT_EQ(text(peer.next()), "1/7 internal error: unsupported event ID 16");
    peer.call(168, call::ConnectDomainEventDeregisterAnyIn{.event_id = 3});
    EXPECT_EQ(text(peer.next()), "1/7 internal error: domain event 3 not registered");
}

TEST_F(Sessions, GiveOldClientsTheOldMessages) {
    Peer peer(reactor, setup);
    opened(peer);
    peer.call(105);
    EXPECT_EQ(peer.next().header.status, MessageStatus::ok);
    hub.emit(
        event::Lifecycle{.domain = {.name = "vm", .id = -1}, .note = {Life::stopped, Stopped::destroyed}});
    const auto message = peer.next();
    EXPECT_EQ(message.header.procedure, 107);
    EXPECT_EQ(xdr::decode<call::DomainEventLifecycleMsg>(message.body).value(),
              (call::DomainEventLifecycleMsg{.dom = {.name = {"vm"}, .id = -1}, .event = 5, .detail = 1}));
    peer.call(106);
    EXPECT_EQ(peer.next().header.status, MessageStatus::ok);
    hub.emit(event::Lifecycle{});
    EXPECT_TRUE(peer.silent());
}

TEST_F(Sessions, SendDescriptorsAfterTheMessageWithAByteEach) {
    Peer peer(reactor, setup);
    opened(peer);
    peer.send({.program = call::remote_program,
               .procedure = 343,
               .type = MessageType::call_with_files,
               .serial = 9},
              xdr::encode(Descriptors::In{}).value(), 2);
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    peer.file(null.n());
    peer.file(null.n());
    const auto reply = peer.next();
    EXPECT_EQ(reply.header.type, MessageType::reply_with_files);
    EXPECT_EQ(reply.files, 3u);
    EXPECT_EQ(peer.files().size(), 3u);
    const auto serial = peer.call(23, Lookup::In{.name = {"vm"}}); // nothing is left over
    EXPECT_EQ(peer.next().header.serial, serial);
}

TEST_F(Sessions, LetNobodyInOnceTheGateIsClosed) {
    Peer peer(reactor, setup);
    opened(peer);
    boost::asio::co_spawn(reactor, gate.close(), [](std::exception_ptr) {});
    peer.turn();
    peer.call(23, Lookup::In{.name = {"vm"}});
    EXPECT_EQ(Peer::error(peer.next()).code, 55);
}

} // namespace
} // namespace cloister::rpc
