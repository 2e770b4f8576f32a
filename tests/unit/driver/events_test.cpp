#include "driver/events.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

const DomainRef vm{.name = "vm", .uuid = Uuid{{1}}, .id = 3};
const DomainRef other{.name = "other", .uuid = Uuid{{2}}, .id = 4};

TEST(Events, ReachThoseWhoAskedInTheOrderTheyHappened) {
    EventHub hub;
    std::vector<Event> seen;
    const auto token =
        hub.subscribe({.number = event::Lifecycle::number}, [&](const Event& e) { seen.push_back(e); });
    const Event resumed = event::Lifecycle{vm, {Life::resumed, Resumed::unpaused}};
    const Event started = event::Lifecycle{vm, {Life::started, Started::booted}};
    hub.emit(resumed);
    hub.emit(event::Reboot{vm});
    hub.emit(started);
    EXPECT_EQ(seen, (std::vector<Event>{resumed, started}));
}

TEST(Events, OfOtherDomainsAreLeftOut) {
    EventHub hub;
    int seen = 0;
    const auto token = hub.subscribe({.number = 1, .domain = vm.uuid}, [&](const Event&) { ++seen; });
    hub.emit(event::Reboot{other});
    hub.emit(event::Reboot{vm});
    EXPECT_EQ(seen, 1);
}

TEST(Events, EndWithTheToken) {
    EventHub hub;
    int seen = 0;
    {
        const auto token = hub.subscribe({.number = 1}, [&](const Event&) { ++seen; });
    }
    hub.emit(event::Reboot{vm});
    EXPECT_EQ(seen, 0);
}

TEST(Events, ASubscriberMayLeaveWhileItIsCalled) {
    EventHub hub;
    int first = 0, second = 0;
    EventHub::Token one, two;
    one = hub.subscribe({.number = 1}, [&](const Event&) {
        ++first;
        one = {};
        two = {};
    });
    two = hub.subscribe({.number = 1}, [&](const Event&) { ++second; });
    hub.emit(event::Reboot{vm});
    hub.emit(event::Reboot{vm});
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 0);
}

TEST(Events, OfAMonitorAreChosenByNameOrExpression) {
    EventHub hub;
    std::string seen;
    const auto exact =
        hub.subscribe({.number = -1, .monitor_event = "STOP"}, [&](const Event&) { seen += 'e'; });
    const auto regex =
        hub.subscribe({.number = -1, .monitor_event = "^res", .is_regex = true, .ignore_case = true},
                      [&](const Event&) { seen += 'r'; });
    const auto all = hub.subscribe({.number = -1}, [&](const Event&) { seen += 'a'; });
    hub.emit(event::MonitorEvent{.domain = vm, .name = "STOP"});
    hub.emit(event::MonitorEvent{.domain = vm, .name = "RESUME"});
    EXPECT_EQ(seen, "eara");
}

} // namespace
