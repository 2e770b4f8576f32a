#include "security/remember.hpp"

#include <gtest/gtest.h>

namespace cloister {
namespace {

TEST(Memory, IsWrittenAndReadAsLibvirtDoes) {
    const Memory<Owner> memory{{0, 107}, 2};
    const auto text = memory_text(memory, 1700000000);
    EXPECT_EQ(text, (MemoryText{"+0:+107", "2", "1700000000"}));
    EXPECT_EQ(memory_from<Owner>(text, 1700000000), memory);
    const Memory<std::string> label{"u:object_r:virt_image_t:s0", 1};
    EXPECT_EQ(memory_from<std::string>(memory_text(label, 5), 5), label);
}
TEST(Memory, OfAnEarlierBootIsNone) {
    EXPECT_FALSE(memory_from<Owner>(memory_text(Memory<Owner>{{0, 0}, 1}, 1699999999), 1700000000));
    EXPECT_FALSE(memory_from<Owner>({"+0:+0", "1", std::nullopt}, 1700000000))
        << "without a stamp it is stale";
}
TEST(Memory, ThatIsIncompleteOrNotOursIsNone) {
    for (const auto& text :
         {MemoryText{}, MemoryText{"+0:+0", std::nullopt, "7"}, MemoryText{std::nullopt, "1", "7"},
          MemoryText{"root:root", "1", "7"}, MemoryText{"+0", "1", "7"}, MemoryText{"+0:+0", "0", "7"},
          MemoryText{"+0:+0", "-1", "7"}, MemoryText{"+0:+0", "1 ", "7"}, MemoryText{"+0:+0", "1", "7x"},
          MemoryText{"+99999999999:+0", "1", "7"}})
        EXPECT_FALSE(memory_from<Owner>(text, 7))
            << text.value.value_or("-") << " " << text.count.value_or("-");
}
TEST(Memory, OfALabelIsAContext) { EXPECT_FALSE(memory_from<std::string>({"+0:+0", "1", "7"}, 7)); }
TEST(Memory, TheBootTimeIsTheKernels) {
    EXPECT_EQ(boot_time_in("cpu 1 2\nbtime 1700000000\nprocesses 5\n"), 1700000000U);
    EXPECT_EQ(boot_time_in("cpu 1 2\n"), 0U);
}

} // namespace
} // namespace cloister
