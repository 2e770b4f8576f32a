#include "client/answer.hpp"
#include "client/verb.hpp"

#include <clocale>
#include <gtest/gtest.h>

using namespace cloister::client;

namespace {

TEST(Answer, PrintsATableAsVirshDoes) {
    const Answer table =
        Table{.headers = {"Id", "Name"}, .keys = {"id", "name"}, .rows = {{"-", "vm one"}, {"12", "x"}}};
    EXPECT_EQ(text_of(table, 0), " Id   Name\n--------------\n -    vm one\n 12   x\n");
    EXPECT_EQ(json_of(table), "[{\"id\":\"-\",\"name\":\"vm one\"},{\"id\":\"12\",\"name\":\"x\"}]\n");
}

TEST(Answer, CutsTheWidestColumnUntilTheTableFits) {
    std::setlocale(LC_ALL, "C.UTF-8");
    const Answer table =
        Table{.headers = {"A", "B"}, .keys = {"a", "b"}, .rows = {{"1", std::string(100, 'x')}}};
    const auto text = text_of(table, 40);
    EXPECT_LE(columns(text.substr(0, text.find('\n'))), 40u);
    EXPECT_NE(text_of(table, 40).find("…"), std::string::npos);
    EXPECT_EQ(columns("名前"), 4u);
}

TEST(Answer, AlignsFacts) {
    Facts facts;
    facts.add("id", "Id", "3");
    facts.add("os_type", "OS type", "hvm");
    EXPECT_EQ(text_of(Answer{facts}, 0), "Id:             3\nOS type:        hvm\n");
    EXPECT_EQ(json_of(Answer{facts}), "{\"id\":\"3\",\"os_type\":\"hvm\"}\n");
}

TEST(Sizes, HaveVirshsSuffixes) {
    EXPECT_EQ(kibibytes("512").value(), 512u);
    EXPECT_EQ(kibibytes("1b").value(), 1u) << "rounded up";
    EXPECT_EQ(kibibytes("64M").value(), 65536u);
    EXPECT_EQ(kibibytes("1GiB").value(), 1048576u);
    EXPECT_EQ(kibibytes("1KB").value(), 1u);
    for (const auto* bad : {"", "M", "5X", "5 M", "-1", "99999999999999999999", "99999999999T"})
        EXPECT_FALSE(kibibytes(bad)) << bad;
}

TEST(Verbs, HaveOneNameEach) {
    std::set<std::string_view> names;
    for (const auto family :
         {host_verbs(), domain_verbs(), define_verbs(), device_verbs(), monitor_verbs(), own_verbs()})
        for (const auto& verb : family) {
            EXPECT_TRUE(names.insert(verb.name).second) << verb.name;
            EXPECT_FALSE(verb.help.empty()) << verb.name;
        }
    EXPECT_GE(names.size(), 55u);
}

TEST(Completion, KnowsEveryVerbInEachShell) {
    for (const auto* shell : {"bash", "zsh", "fish"}) {
        const auto script = completion_script(shell).value();
        EXPECT_NE(script.find("domblklist"), std::string::npos) << shell;
        EXPECT_NE(script.find("confinement"), std::string::npos) << shell;
    }
    EXPECT_FALSE(completion_script("tcsh"));
}

} // namespace
