#include "security/selinux.hpp"

#include <gtest/gtest.h>
#include <random>

namespace cloister {
namespace {

const SelinuxPolicy policy{.process = "system_u:system_r:svirt_t:s0",
                           .process_tcg = "system_u:system_r:svirt_tcg_t:s0",
                           .image = "system_u:object_r:svirt_image_t:s0",
                           .content = "system_u:object_r:virt_content_t:s0",
                           .daemon = "unconfined_u:unconfined_r:virtd_t:s0-s0:c0.c1023"};

TEST(Selinux, AContextIsFourPartsAndTheRangeMayHoldColons) {
    const auto context = selinux_context("system_u:system_r:svirt_t:s0-s0:c0.c1023");
    ASSERT_TRUE(context);
    EXPECT_EQ(context->range, "s0-s0:c0.c1023");
    EXPECT_EQ(printed(*context), "system_u:system_r:svirt_t:s0-s0:c0.c1023");
    EXPECT_EQ(printed(*selinux_context("a:b:c")), "a:b:c") << "a policy without levels";
    for (const char* text : {"", "a", "a:b", ":b:c:s0", "a::c:s0", "a:b::s0"})
        EXPECT_FALSE(selinux_context(text)) << text;
}

TEST(Mcs, TheDaemonsRangeBoundsTheCategories) {
    EXPECT_EQ(mcs_range("s0-s0:c0.c1023"), (McsRange{"s0", 0, 1023}));
    EXPECT_EQ(mcs_range("s2-s5:c10.c99"), (McsRange{"s2", 10, 99})) << "the lower sensitivity";
    EXPECT_EQ(mcs_range("s0"), (McsRange{"s0", 0, 1023}));
    EXPECT_EQ(mcs_range("s0:c0.c7"), (McsRange{"s0", 0, 7}));
    for (const char* text : {"", "s0:c0.c6", "s0:c5", "s0:c9.c1", "s0:x0.x9"})
        EXPECT_FALSE(mcs_range(text)) << text;
}
TEST(Mcs, EveryPairOfARangeIsGivenOnceAndThenNoneIsLeft) {
    const McsRange range{"s0", 100, 107};
    std::multiset<std::string> taken;
    for (int i = 0; i < 28; ++i) { // 8 * 7 / 2
        const auto pair = mcs_pair(range, taken, 12345);
        ASSERT_TRUE(pair);
        EXPECT_FALSE(taken.contains(*pair)) << *pair << " was given twice";
        taken.insert(*pair);
        unsigned a = 0, b = 0;
        ASSERT_EQ(std::sscanf(pair->c_str(), "c%u,c%u", &a, &b), 2);
        EXPECT_LT(a, b) << "lower first, never the same twice";
        EXPECT_GE(a, 100U);
        EXPECT_LE(b, 107U);
    }
    EXPECT_FALSE(mcs_pair(range, taken, 12345));
}
TEST(Mcs, TheWholeRangeIsReachable) {
    EXPECT_EQ(mcs_pair(McsRange{}, {}, 0).value(), "c0,c1");
    EXPECT_EQ(mcs_pair(McsRange{}, {}, 1024 * 1023 / 2 - 1).value(), "c1022,c1023");
    EXPECT_EQ(mcs_pair(McsRange{}, {"c0,c1"}, 1024 * 1023 / 2).value(), "c0,c2");
}
/// Guests come and go in any order, for long: never do two that run have one pair.
TEST(Mcs, NoTwoGuestsThatRunEverShareAPair) {
    std::mt19937_64 random(20261127); // NOLINT(cert-msc51-cpp): the same every time
    for (const auto& range : {McsRange{"s0", 0, 7}, McsRange{"s0", 10, 25}, McsRange{"s0", 0, 1023}}) {
        std::vector<std::string> running;
        const std::uint64_t all = (range.last - range.first + 1ULL) * (range.last - range.first) / 2;
        for (int step = 0; step < 3000; ++step) {
            const std::multiset<std::string> taken(running.begin(), running.end());
            if (random() % 5 < 2 && !running.empty()) {
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(random() % running.size()));
                continue;
            }
            const auto pair = mcs_pair(range, taken, random());
            ASSERT_EQ(pair.has_value(), running.size() < all) << "an error exactly when all are taken";
            if (!pair) {
                EXPECT_EQ(pair.error().message, "every pair of SELinux categories is taken");
                continue;
            }
            ASSERT_FALSE(taken.contains(*pair));
            ASSERT_EQ(pair_in(*selinux_context("u:r:t:s0:" + *pair)), *pair) << "and it reads back";
            running.push_back(*pair);
        }
    }
}
TEST(Mcs, APairIsTheSameHoweverItIsWritten) {
    const auto pair = [](const char* range) {
        return pair_in(*selinux_context(std::string("u:r:t:") + range));
    };
    EXPECT_EQ(pair("s0:c9,c3"), "c3,c9");
    EXPECT_EQ(pair("s0:c3.c4"), "c3,c4");
    EXPECT_EQ(pair("s0:c3,c9-s0:c0.c1023"), "c3,c9");
    for (const char* range : {"s0", "s0:c3", "s0:c3,c3", "s0:c1,c2,c3", "s0:c1.c9", "s0:x,y"})
        EXPECT_FALSE(pair(range)) << range;
}

TEST(SelinuxPolicy, IsReadFromTheTwoContextFiles) {
    EXPECT_EQ(
        selinux_policy_in("system_u:system_r:svirt_t:s0\n \n# a word\nsystem_u:system_r:svirt_tcg_t:s0 \n",
                          "system_u:object_r:svirt_image_t:s0\nsystem_u:object_r:virt_content_t:s0",
                          policy.daemon, true),
        policy);
    EXPECT_EQ(selinux_policy_in("system_u:system_r:svirt_t:s0\n", "", "d", false),
              (SelinuxPolicy{.process = "system_u:system_r:svirt_t:s0", .daemon = "d", .mls = false}));
}
TEST(SelinuxLabels, HaveNoCategoriesWhereThePolicyHasNoLevels) {
    auto flat = policy;
    flat.mls = false;
    EXPECT_EQ(selinux_labels(flat, {}, "s0", "c1,c2", false).value(),
              (SelinuxLabels{"unconfined_u:unconfined_r:svirt_t", "unconfined_u:object_r:svirt_image_t"}));
}
TEST(SelinuxLabels, ADynamicLabelTakesUserAndRoleFromTheDaemonAndTheTypeFromThePolicy) {
    EXPECT_EQ(selinux_labels(policy, {}, "s0", "c57,c903", false).value(),
              (SelinuxLabels{"unconfined_u:unconfined_r:svirt_t:s0:c57,c903",
                             "unconfined_u:object_r:svirt_image_t:s0:c57,c903"}));
    EXPECT_EQ(selinux_labels(policy, {}, "s0", "c57,c903", true)->process,
              "unconfined_u:unconfined_r:svirt_tcg_t:s0:c57,c903");
    auto old = policy;
    old.process_tcg.clear();
    EXPECT_EQ(selinux_labels(old, {}, "s0", "c1,c2", true)->process,
              "unconfined_u:unconfined_r:svirt_t:s0:c1,c2");
}
TEST(SelinuxLabels, ABaseLabelChangesOnlyTheType) {
    EXPECT_EQ(selinux_labels(policy, {.base = "x_u:x_r:svirt_custom_t:s7:c5"}, "s0", "c1,c2", false)->process,
              "unconfined_u:unconfined_r:svirt_custom_t:s0:c1,c2");
}
TEST(SelinuxLabels, AStaticLabelIsTakenToTheLetterAndItsRangeForTheImages) {
    const SelinuxWish wish{.type = SelinuxWish::Type::fixed,
                           .label = "system_u:system_r:svirt_t:s0:c392,c662"};
    EXPECT_EQ(selinux_labels(policy, wish, "s0", "c1,c2", false).value(),
              (SelinuxLabels{"system_u:system_r:svirt_t:s0:c392,c662",
                             "system_u:object_r:svirt_image_t:s0:c392,c662"}));
}
TEST(SelinuxLabels, TypeNoneConfinesAndLabelsNothing) {
    EXPECT_EQ(selinux_labels(policy, {.type = SelinuxWish::Type::none}, "s0", "c1,c2", false).value(),
              SelinuxLabels{});
}
TEST(SelinuxLabels, WhatIsNoContextIsRefusedByName) {
    const auto wrong =
        selinux_labels(policy, {.type = SelinuxWish::Type::fixed, .label = "svirt_t"}, "s0", "c1,c2", false);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Code::config_unsupported);
    EXPECT_EQ(wrong.error().message, "the SELinux context 'svirt_t' of <seclabel> is not valid");
}

} // namespace
} // namespace cloister
