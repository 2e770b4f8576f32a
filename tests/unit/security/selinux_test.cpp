#include "security/selinux.hpp"

#include <gtest/gtest.h>

namespace cloister {
namespace {

const SelinuxPolicy policy{.process = "system_u:system_r:svirt_t:s0",
                           .process_tcg = "system_u:system_r:svirt_tcg_t:s0",
                           .image = "system_u:object_r:svirt_image_t:s0",
                           .content = "system_u:object_r:virt_content_t:s0",
                           .daemon = "unconfined_u:unconfined_r:virtd_t:s0-s0:c0.c1023"};
const SelinuxLabels guest{"system_u:system_r:svirt_t:s0:c1,c2", "system_u:object_r:svirt_image_t:s0:c1,c2"};

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
    std::set<std::string> taken;
    for (int i = 0; i < 28; ++i) { // 8 * 7 / 2
        const auto pair = mcs_pair(range, taken, 12345);
        ASSERT_TRUE(pair);
        EXPECT_TRUE(taken.insert(*pair).second) << *pair << " was given twice";
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
    const SelinuxWish wish{
        .type = SelinuxWish::Type::fixed, .relabel = true, .label = "system_u:system_r:svirt_t:s0:c392,c662"};
    EXPECT_EQ(selinux_labels(policy, wish, "s0", "c1,c2", false).value(),
              (SelinuxLabels{"system_u:system_r:svirt_t:s0:c392,c662",
                             "system_u:object_r:svirt_image_t:s0:c392,c662"}));
    auto left = wish;
    left.relabel = false;
    EXPECT_EQ(selinux_labels(policy, left, "s0", "c1,c2", false)->image, "");
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

TEST(SelinuxFiles, GetOneOfTheThreeLabelsByAccessAndSharing) {
    Grant grant{.path = "/a", .kind = Kind::file, .access = Access::read_write};
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:svirt_image_t:s0:c1,c2");
    grant.sharing = Sharing::shared;
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:svirt_image_t:s0");
    grant.access = Access::read;
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:virt_content_t:s0");
    grant.sharing = Sharing::exclusive;
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:virt_content_t:s0");
    grant.created_by_us = true;
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:svirt_image_t:s0:c1,c2")
        << "its own secrets";
    EXPECT_FALSE(file_label(grant, {}, policy)) << "relabel='no', type='none'";
}
TEST(SelinuxFiles, AnOverrideOfTheirOwnComesFirst) {
    Grant grant{.path = "/a", .kind = Kind::file, .access = Access::read_write};
    grant.overrides = {{"dac", true, "+0:+0"}, {"selinux", true, "system_u:object_r:other_t:s0"}};
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:other_t:s0");
    grant.overrides = {{"dac", false, {}}};
    EXPECT_EQ(file_label(grant, guest, policy), "system_u:object_r:svirt_image_t:s0:c1,c2");
    grant.overrides = {{"", false, {}}};
    EXPECT_FALSE(file_label(grant, guest, policy));
}

} // namespace
} // namespace cloister
