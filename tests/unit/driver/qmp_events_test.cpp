#include "driver/qmp/events.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

using namespace cloister::qmp;

namespace {

std::optional<Event> event(std::string_view name, std::string_view data = "{}") {
    return event_of(name, boost::json::parse(boost::json::string_view(data.data(), data.size())).as_object());
}

} // namespace

TEST(QmpEvents, SayWhoShutTheGuestDown) {
    EXPECT_EQ(event("SHUTDOWN", R"({"guest":true,"reason":"guest-shutdown"})"),
              Event(Shutdown{true, "guest-shutdown"}));
    EXPECT_EQ(event("SHUTDOWN", R"({"guest":false,"reason":"host-signal"})"),
              Event(Shutdown{false, "host-signal"}));
    EXPECT_EQ(event("SHUTDOWN"), Event(Shutdown{}));
}

TEST(QmpEvents, TellADeviceFromWhatLiesInsideIt) {
    EXPECT_EQ(event("DEVICE_DELETED", R"({"device":"net1","path":"/machine/peripheral/net1"})"),
              Event(DeviceDeleted{"net1", "/machine/peripheral/net1"}));
    EXPECT_EQ(event("DEVICE_DELETED", R"({"path":"/machine/peripheral/net1/virtio-backend"})"),
              Event(DeviceDeleted{std::nullopt, "/machine/peripheral/net1/virtio-backend"}));
}

TEST(QmpEvents, ReadDisksThatFail) {
    EXPECT_EQ(event("BLOCK_IO_ERROR", R"({"device":"","nospace":true,"node-name":"libvirt-1-format",
                "reason":"No space left on device","operation":"write","action":"stop"})"),
              Event(BlockIoError{.node_name = "libvirt-1-format",
                                 .action = IoErrorAction::stop,
                                 .write = true,
                                 .no_space = true,
                                 .reason = "No space left on device"}));
}

TEST(QmpEvents, ReadBothSpellingsOfGraphics) {
    EXPECT_EQ(event("VNC_CONNECTED",
                    R"({"server":{"auth":"none","family":"ipv4","service":"5900","host":"127.0.0.1",
                "websocket":false},"client":{"family":"ipv4","service":"4711","host":"127.0.0.2","websocket":false}})"),
              Event(GraphicsEvent{.server = {"ipv4", "127.0.0.1", "5900"},
                                  .client = {"ipv4", "127.0.0.2", "4711"},
                                  .auth = "none"}));
    EXPECT_EQ(event("SPICE_INITIALIZED",
                    R"({"server":{"port":"5901","family":"ipv4","host":"127.0.0.1","auth":"spice"},
                "client":{"port":"1","family":"ipv4","channel-type":4,"connection-id":1,"host":"127.0.0.1","channel-id":0,"tls":true}})"),
              Event(GraphicsEvent{.spice = true,
                                  .phase = GraphicsEvent::Phase::initialized,
                                  .server = {"ipv4", "127.0.0.1", "5901"},
                                  .client = {"ipv4", "127.0.0.1", "1"},
                                  .auth = "spice"}));
}

TEST(QmpEvents, ReadTheRest) {
    EXPECT_EQ(event("STOP"), Event(Stop{}));
    EXPECT_EQ(event("RESET", R"({"guest":true,"reason":"guest-reset"})"), Event(Reset{true, "guest-reset"}));
    EXPECT_EQ(event("RTC_CHANGE", R"({"offset":-78,"qom-path":"/machine/rtc"})"), Event(RtcChange{-78}));
    EXPECT_EQ(event("WATCHDOG", R"({"action":"inject-nmi"})"), Event(Watchdog{WatchdogAction::inject_nmi}));
    EXPECT_EQ(event("BALLOON_CHANGE", R"({"actual":944766976})"), Event(BalloonChange{944766976}));
    EXPECT_EQ(event("VSERPORT_CHANGE", R"({"id":"channel0","open":true})"),
              Event(SerialPortChange{"channel0", true}));
    EXPECT_EQ(event("GUEST_PANICKED", R"({"action":"pause","info":{"type":"hyper-v","arg1":1}})"),
              Event(GuestPanicked{"pause", "hyper-v"}));
    EXPECT_EQ(
        event(
            "MEMORY_FAILURE",
            R"({"recipient":"guest","action":"inject","flags":{"action-required":true,"recursive":false}})"),
        Event(MemoryFailure{"guest", "inject", true, false}));
}

TEST(QmpEvents, AreLeftAloneWhenUnknownOrMisshapen) {
    EXPECT_EQ(event("SOMETHING_NEW", R"({"x":1})"), std::nullopt);
    EXPECT_EQ(event("RTC_CHANGE", R"({"offset":"soon"})"), std::nullopt);
    EXPECT_EQ(event("SHUTDOWN", R"({"guest":"yes"})"), std::nullopt);
    EXPECT_EQ(event("GUEST_PANICKED", R"({"info":7})"), std::nullopt);
}
