#include "driver/op/counters.hpp"
#include "driver/op/keycodes.hpp"
#include "driver/op/thread_times.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace cloister;

namespace {

Domain with_disks(std::initializer_list<std::pair<const char*, const char*>> disks) {
    Domain domain;
    for (const auto& [alias, path] : disks) {
        Disk disk;
        disk.target.dev = std::string("v") + alias;
        disk.info.alias = Alias{.name = alias};
        disk.source = Source{.file = path};
        domain.devices.list.emplace_back(std::move(disk));
    }
    return domain;
}

TEST(BlockCounters, BelongToTheDeviceThatQemuNames) {
    const auto live = with_disks({{"virtio-disk1", "/b"}, {"virtio-disk10", "/c"}, {"sata0-0-0", "/d"}});
    const auto answer = boost::json::parse(R"([
        {"qdev":"/machine/peripheral/virtio-disk1/virtio-backend",
         "stats":{"rd_operations":1,"rd_bytes":2,"rd_total_time_ns":3,"wr_operations":4,"wr_bytes":5,
                  "wr_total_time_ns":6,"flush_operations":7,"flush_total_time_ns":8,"wr_highest_offset":9}},
        {"qdev":"sata0-0-0","stats":{"rd_operations":11}},
        {"device":"","stats":{"rd_operations":99}}])");
    EXPECT_EQ(block_counters(answer, live),
              (std::map<std::string, BlockCounters>{{"virtio-disk1", {1, 2, 3, 4, 5, 6, 7, 8, 9}},
                                                    {"sata0-0-0", {.rd_reqs = 11}}}));
    EXPECT_EQ(block_counters(boost::json::value(1), live), (std::map<std::string, BlockCounters>{}));
}

TEST(BlockCounters, FindADiskByItsTargetOrItsPath) {
    const auto domain = with_disks({{"da", "/images/a"}, {"db", "/images/b"}});
    EXPECT_EQ(disk_named(domain, "vdb"), disk_named(domain, "/images/b"));
    EXPECT_EQ(disk_named(domain, "nothing"), nullptr);
    EXPECT_EQ(disk_named(domain, ""), nullptr);
}

TEST(BalloonReportText, LeavesOutWhatTheGuestDidNotSay) {
    const auto report = balloon_report(boost::json::parse(
        R"({"stats":{"stat-free-memory":4096,"stat-swap-in":18446744073709551615,"stat-swap-out":-1},
            "last-update":1700000000})"));
    EXPECT_EQ(report, (BalloonReport{.values = {{"stat-free-memory", 4096}}, .last_update = 1700000000}));
    EXPECT_EQ(balloon_report(boost::json::value("?")), BalloonReport{});
}

TEST(NetCountersOfHost, AreSwappedForWhoSitsAtTheOtherEnd) {
    const auto host = net_counters("lo", false), guest = net_counters("lo", true);
    ASSERT_TRUE(host && guest); // every network namespace has a loopback device
    EXPECT_EQ(net_counters("../lo", false), std::nullopt);
    EXPECT_EQ(net_counters("no-such-device", false), std::nullopt);
}

TEST(ThreadTimesOfKernel, AreThoseOfALivingProcess) {
    EXPECT_TRUE(thread_times(::getpid()));
    EXPECT_TRUE(thread_times(::getpid(), ::getpid()));
    EXPECT_FALSE(thread_times(0x7ffffff0));
    EXPECT_GT(resident_kib(::getpid()), 0u);
}

TEST(Keycodes, NameTheSameKeyInEverySet) {
    struct {
        Codeset set;
        std::uint32_t enter, right_control;
    } const known[]{{Codeset::linux_, 28, 97},       {Codeset::xt, 0x1c, 0xe01d},
                    {Codeset::atset1, 0x1c, 0xe01d}, {Codeset::atset2, 0x5a, 0xe014},
                    {Codeset::atset3, 0x5a, 0x58},   {Codeset::osx, 0x24, 0x3e},
                    {Codeset::xt_kbd, 0x1c, 0x9d},   {Codeset::usb, 40, 228},
                    {Codeset::win32, 0x0d, 0xa3},    {Codeset::qnum, 0x1c, 0x9d}};
    for (const auto& k : known) {
        EXPECT_EQ(qemu_key_number(k.set, k.enter), 0x1cu) << static_cast<int>(k.set);
        EXPECT_EQ(qemu_key_number(k.set, k.right_control), 0x9du) << static_cast<int>(k.set);
    }
}

TEST(Keycodes, RefuseWhatNoKeyHas) {
    EXPECT_EQ(qemu_key_number(Codeset::linux_, 0), std::nullopt);
    EXPECT_EQ(qemu_key_number(Codeset::win32, UINT32_MAX), std::nullopt); // keys without a code in this set
    EXPECT_EQ(qemu_key_number(Codeset::qnum, 0x100), std::nullopt);
    EXPECT_EQ(qemu_key_number(Codeset::osx, 0), 0x1eu); // A
}

} // namespace
