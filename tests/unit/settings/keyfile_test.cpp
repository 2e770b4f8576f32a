#include "conf/text/keyfile.hpp"

#include <gtest/gtest.h>

using namespace cloister;
using keyfile::Number;

namespace {

keyfile::Value only(std::string_view text) {
    auto entries = keyfile::read(text, "f").value();
    EXPECT_EQ(entries.size(), 1u);
    return entries.at(0).value;
}
std::string refusal(std::string_view text) {
    const auto r = keyfile::read(text, "f");
    return r ? "" : r.error().message;
}

TEST(Keyfile, ReadsStringsNumbersAndLists) {
    EXPECT_EQ(only("a = 'x\\n'").what, (decltype(keyfile::Value::what)("x\\n"))) << "there are no escapes";
    EXPECT_EQ(only("a=\"it's\" # why").what, (decltype(keyfile::Value::what)("it's")));
    EXPECT_EQ(only("a = \"\"\"two\nlines\"\"\"").what, (decltype(keyfile::Value::what)("two\nlines")));
    EXPECT_EQ(only("a = -1").what, (decltype(keyfile::Value::what)(Number{1, true})));
    EXPECT_EQ(only("a = 18446744073709551615").what,
              (decltype(keyfile::Value::what)(Number{UINT64_MAX, false})));
    EXPECT_EQ(keyfile::print(only("a = [ 'x', # one\n 2,\n [], ]")), "[ \"x\", 2, [ ] ]");
}

TEST(Keyfile, SeparatesStatementsByLinesAndSemicolons) {
    const auto entries = keyfile::read("# c\n a=1 ; b=2\r\n\tc=3", "f").value();
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[2].name, "c");
    EXPECT_EQ(entries[2].line, 3);
}

TEST(Keyfile, EndsALineWithEitherSignOrBoth) {
    const auto entries = keyfile::read("# c\ra=1\r\nb=2 # d\rc=3", "f").value();
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].line, 2);
    EXPECT_EQ(entries[1].line, 3);
    EXPECT_EQ(entries[2].line, 4);
    EXPECT_EQ(refusal("a = 'x\r'"), "f:1: unterminated string");
    EXPECT_EQ(refusal("a = \"\"\"x\r\ny\rz\"\"\"\nb"), "f:4: expecting an assignment");
}

TEST(Keyfile, KeepsTheFirstOfARepeatedName) {
    const auto entries = keyfile::read("a=1\na=2", "f").value();
    EXPECT_EQ(keyfile::find(entries, "a")->line, 1);
    EXPECT_EQ(keyfile::find(entries, "b"), nullptr);
}

TEST(Keyfile, NamesFileLineAndWhatWasExpected) {
    EXPECT_EQ(refusal("a=1\nb 2"), "f:2: expecting an assignment");
    EXPECT_EQ(refusal("a = yes"), "f:1: expecting a value");
    EXPECT_EQ(refusal("a = 1 2"), "f:1: expecting a separator");
    EXPECT_EQ(refusal("a = 'x\n'"), "f:1: unterminated string");
    EXPECT_EQ(refusal("a = 0x10"), "f:1: expecting a separator");
    EXPECT_EQ(refusal("a = 18446744073709551616"), "f:1: number is too large");
    EXPECT_EQ(refusal("\n\na = [ 'x'"), "f:3: list is not closed with ]");
    EXPECT_EQ(refusal("7 = 1"), "f:1: expecting a name");
    EXPECT_NE(refusal("a = " + std::string(100, '[')), "");
}

} // namespace
