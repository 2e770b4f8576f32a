#include "conf/call/event.hpp"
#include "conf/call/procedure.hpp"
#include "conf/call/qemu.hpp"
#include "daemon/rpc/events.hpp"
#include "daemon/rpc/xdr.hpp"

#include <gtest/gtest.h>
#include <set>

namespace cloister::rpc {
namespace {

const DomainRef vm{.name = "vm", .uuid = {{1, 2, 3}}, .id = 4};
const call::DomainHandle handle{.name = {"vm"}, .uuid = {1, 2, 3}, .id = 4};

/// One event of each kind, by number.
template <std::size_t... I> std::vector<Event> one_of_each(std::index_sequence<I...>) {
    return {Event(std::in_place_index<I>)...};
}
const std::vector<Event> every = one_of_each(std::make_index_sequence<std::variant_size_v<Event>>());

TEST(Events, HaveAMessageOfTheirOwnForEveryCallback) {
    std::set<std::pair<std::uint32_t, std::int32_t>> seen;
    for (const auto& event : every) {
        const auto message = event_message(event, 7);
        if (std::holds_alternative<cloister::event::Denied>(event)) { // the wire has no such event
            EXPECT_FALSE(message);
            continue;
        }
        ASSERT_TRUE(message) << number_of(event);
        EXPECT_TRUE(seen.emplace(message->program, message->procedure).second);
        const auto* known = call::find_procedure(message->program, message->procedure);
        ASSERT_TRUE(known) << message->procedure;
        EXPECT_EQ(known->kind, call::Kind::event);
        EXPECT_EQ(message->body[3], std::byte{7}); // the callback id comes first
    }
    EXPECT_EQ(seen.size(), 29u);
}

TEST(Events, HaveALegacyMessageUpToNumber15) {
    for (const auto& event : every) {
        const auto message = event_message(event, std::nullopt);
        const auto number = number_of(event);
        EXPECT_EQ(message.has_value(), number >= 0 && number <= last_legacy_event) << number;
        if (!message) continue;
        EXPECT_EQ(call::find_procedure(message->program, message->procedure)->kind, call::Kind::event);
    }
}

template <class M>
M sent(const Event& event, std::int32_t procedure, std::optional<std::int32_t> callback = 9) {
    const auto message = event_message(event, callback).value();
    EXPECT_EQ(message.procedure, procedure);
    return xdr::decode<M>(message.body).value();
}

TEST(Events, CarryWhatHappened) {
    EXPECT_EQ(sent<call::DomainEventCallbackLifecycleMsg>(
                  event::Lifecycle{.domain = vm, .note = {Life::started, Started::booted}}, 318),
              (call::DomainEventCallbackLifecycleMsg{9, {handle, 2, 0}}));
    EXPECT_EQ(
        sent<call::DomainEventCallbackIoErrorReasonMsg>(
            event::IoErrorReason{
                .domain = vm, .source = "/a", .alias = "virtio-disk0", .action = 1, .reason = "enospc"},
            324),
        (call::DomainEventCallbackIoErrorReasonMsg{9, {handle, {"/a"}, {"virtio-disk0"}, 1, {"enospc"}}}));
    EXPECT_EQ(sent<call::DomainEventCallbackGraphicsMsg>(event::Graphics{.domain = vm,
                                                                         .phase = 1,
                                                                         .local = {0, "127.0.0.1", "5900"},
                                                                         .remote = {1, "::1", "44000"},
                                                                         .auth = "none",
                                                                         .subject = {{"saslUsername", "a"}}},
                                                         323),
              (call::DomainEventCallbackGraphicsMsg{9,
                                                    {handle,
                                                     1,
                                                     {0, {"127.0.0.1"}, {"5900"}},
                                                     {1, {"::1"}, {"44000"}},
                                                     {"none"},
                                                     {{{{"saslUsername"}, {"a"}}}}}}));
    EXPECT_EQ(sent<call::DomainEventCallbackPmwakeupMsg>(event::PmWakeup{.domain = vm}, 329),
              (call::DomainEventCallbackPmwakeupMsg{9, 0, {handle}}));
    EXPECT_EQ(
        sent<call::DomainEventCallbackTunableMsg>(
            event::Tunable{.domain = vm, .params = {{"cputune.cpu_shares", std::uint64_t{2048}}}}, 346),
        (call::DomainEventCallbackTunableMsg{9, handle, {{{{"cputune.cpu_shares"}, std::uint64_t{2048}}}}}));
    EXPECT_EQ(sent<call::DomainEventBlockThresholdMsg>(
                  event::BlockThreshold{.domain = vm, .device = "vda", .threshold = 5, .excess = 6}, 385),
              (call::DomainEventBlockThresholdMsg{9, handle, {"vda"}, std::nullopt, 5, 6}));
    EXPECT_EQ(
        sent<call::QemuDomainMonitorEventMsg>(
            event::MonitorEvent{.domain = vm, .name = "STOP", .seconds = 1, .micros = 2, .details = "{}"}, 6),
        (call::QemuDomainMonitorEventMsg{9, handle, {"STOP"}, 1, 2, Text<>{"{}"}}));
    EXPECT_EQ(sent<call::DomainEventDiskChangeMsg>(
                  event::DiskChange{.domain = vm, .old_source = "/a", .alias = "ide0-0-0", .reason = 1}, 248,
                  std::nullopt),
              (call::DomainEventDiskChangeMsg{handle, Text<>{"/a"}, std::nullopt, {"ide0-0-0"}, 1}));
}

} // namespace
} // namespace cloister::rpc
