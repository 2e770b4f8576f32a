#include "conf/base/uuid.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

TEST(Uuid, PrintsWhatItRead) {
    const auto uuid = parse_uuid(" C7A5FDBD-edaf-9455-926a-d65c16db1809\n");
    ASSERT_TRUE(uuid);
    EXPECT_EQ(printed(*uuid), "c7a5fdbd-edaf-9455-926a-d65c16db1809");
    EXPECT_EQ(parse_uuid("c7a5fdbdedaf9455926ad65c16db1809"), uuid);
}

TEST(Uuid, RefusesWhatIsNotSixteenBytes) {
    for (const auto* text : {"", "c7", "c7a5fdbdedaf9455926ad65c16db18", "c7a5fdbdedaf9455926ad65c16db180900",
                             "c7a5fdbdedaf9455926ad65c16db18zz"})
        EXPECT_FALSE(parse_uuid(text)) << text;
}

} // namespace
