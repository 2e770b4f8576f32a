#include "driver/qmp/wire.hpp"

#include <gtest/gtest.h>

using namespace cloister;
using namespace cloister::qmp;

namespace {

const std::string conversation = "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},"
                                 "\"package\":\"Debian 7.2\"},\"capabilities\":[]}}\r\n"
                                 "{\"return\":{},\"id\":1}\r\n"
                                 "\r\n"
                                 "{\"timestamp\":{\"seconds\":1234567890,\"microseconds\":42},\"event\":"
                                 "\"RTC_CHANGE\",\"data\":{\"offset\":78}}\n"
                                 "{\"id\":2,\"error\":{\"class\":\"GenericError\",\"desc\":\"no {}\"}}\r\n";

std::vector<Message> messages() {
    return {Greeting{7'002'022, "Debian 7.2"}, Reply{1, boost::json::object{}},
            RawEvent{"RTC_CHANGE", {{"offset", 78}}, {1234567890, 42}}, Refusal{2, "GenericError", "no {}"}};
}

std::vector<Message> read(std::initializer_list<std::string_view> pieces) {
    LineReader lines;
    std::vector<Message> out;
    for (const auto piece : pieces) {
        EXPECT_TRUE(lines.feed(piece));
        while (const auto line = lines.next()) out.push_back(decoded(*line).value());
    }
    return out;
}

} // namespace

TEST(QmpWire, ReadsTheSameHoweverTheBytesAreSplit) {
    const std::string_view all = conversation;
    for (std::size_t cut = 0; cut <= all.size(); ++cut)
        EXPECT_EQ(read({all.substr(0, cut), all.substr(cut)}), messages()) << "cut at " << cut;
}

TEST(QmpWire, ReadsOneByteAtATime) {
    LineReader lines;
    std::vector<Message> out;
    for (const char byte : conversation) {
        ASSERT_TRUE(lines.feed({&byte, 1}));
        while (const auto line = lines.next()) out.push_back(decoded(*line).value());
    }
    EXPECT_EQ(out, messages());
}

TEST(QmpWire, RefusesALineThatNeverEnds) {
    LineReader lines;
    const std::string much(LineReader::longest, 'x');
    EXPECT_TRUE(lines.feed(much));
    EXPECT_EQ(lines.feed("x").error().message, "QEMU sent a message of more than 10485760 bytes");
}

TEST(QmpWire, TakesManyShortLinesAtOnce) {
    LineReader lines;
    std::string much;
    for (int i = 0; i < 100'000; ++i) much += "{\"return\":{},\"id\":7}\r\n";
    ASSERT_TRUE(lines.feed(much));
    int count = 0;
    while (lines.next()) ++count;
    EXPECT_EQ(count, 100'000);
}

TEST(QmpWire, RefusesWhatIsNoMessage) {
    for (const auto* line : {"{", "[]", "1", "{}", "{\"return\":1}", "{\"QMP\":1}", "{\"event\":1}",
                             "{\"error\":\"x\",\"id\":1}", "{\"return\":{},\"id\":\"a\"}"})
        EXPECT_EQ(decoded(line).error().message,
                  std::string("QEMU's monitor sent what is no message: '") + line + "'");
    EXPECT_FALSE(decoded("{\"return\":" + std::string(100, '[') + std::string(100, ']') + ",\"id\":1}"));
}

TEST(QmpWire, PrintsCommandsWithoutSpaces) {
    EXPECT_EQ(printed("cont", {}, 3), "{\"execute\":\"cont\",\"id\":3}\n");
    EXPECT_EQ(printed("device_del", {{"id", "net0"}}, 12),
              "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"net0\"},\"id\":12}\n");
}
