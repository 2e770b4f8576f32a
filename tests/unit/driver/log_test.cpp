#include "driver/domain_log.hpp"
#include "driver/last_words.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

constexpr std::chrono::system_clock::time_point epoch{};

TEST(DomainLog, SaysWhatStartsAsAShellWouldHaveToBeTold) {
    LaunchPlan plan;
    plan.id = 3;
    plan.env = {{"LC_ALL", "C", ""}, {"BAR", "", ""}};
    plan.taints = {"custom-argv"};
    EXPECT_EQ(log_header(epoch, {"7.2.22", "6.1", "host"}, plan,
                         {"/usr/bin/qemu", "-name", "guest=it's", "-S", "-device", "{\"driver\":\"x\"}"}),
              "1970-01-01 00:00:00.000+0000: starting up cloister version: 0.1.0, qemu version: 7.2.22, "
              "kernel: 6.1, hostname: host\n"
              "LC_ALL=C \\\n"
              "BAR='' \\\n"
              "/usr/bin/qemu \\\n"
              "-name 'guest=it'\\''s' \\\n"
              "-S \\\n"
              "-device '{\"driver\":\"x\"}'\n"
              "1970-01-01 00:00:00.000+0000: Domain id=3 is tainted: custom-argv\n");
}

TEST(DomainLog, ALineHasNoControlCharacters) {
    EXPECT_EQ(log_line(epoch, "a\nb\x1b[1m"), "1970-01-01 00:00:00.000+0000: a\\x0ab\\x1b[1m\n");
}

TEST(DomainLog, QemusLastWordsAreItsComplaintsOnlyAndEscaped) {
    EXPECT_EQ(qemu_lines("char device redirected to /dev/pts/3 (label charserial0)\n"
                         "2026-11-27T11:00:00Z qemu-system-x86_64: -drive file=/x: Could not open '/x'\n"
                         "1970-01-01 00:00:00.000+0000: shutting down, reason=failed\n\n"
                         "a\x1b[31mb"),
              "2026-11-27T11:00:00Z qemu-system-x86_64: -drive file=/x: Could not open '/x'\n"
              "a\\x1b[31mb");
}

} // namespace
