#include "conf/base/escaped.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

TEST(Escaped, ControlCharactersAreShownAndTextStays) {
    EXPECT_EQ(escaped("a\tb\x1b[31m\x7f \\ ä € 𝄞"), "a\\x09b\\x1b[31m\\x7f \\ ä € 𝄞");
}

TEST(Escaped, BytesThatAreNoCharacterAreShownOneByOne) {
    EXPECT_EQ(escaped("\xff\xc3"), "\\xff\\xc3");
    EXPECT_EQ(escaped("\xc2\x9b"), "\\xc2\\x9b") << "CSI, in eight bits";
    EXPECT_EQ(escaped("\xc0\xaf"), "\\xc0\\xaf") << "longer than it need be";
    EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "half of a surrogate pair";
}

TEST(Escaped, AGuestsLineCannotBeTakenForOneOfTheDaemons) {
    const std::string ours = "2026-11-23 22:57:40.161+0000: shutting down, reason=destroyed";
    EXPECT_TRUE(has_log_stamp(ours));
    EXPECT_FALSE(has_log_stamp(escaped_guest_line(ours)));
    EXPECT_EQ(escaped_guest_line(ours).substr(0, 8), "\\x32026-");
    EXPECT_EQ(escaped_guest_line("2026-11-23T22:57:40Z qemu: x"), "2026-11-23T22:57:40Z qemu: x");
}

} // namespace
