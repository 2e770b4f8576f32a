/// tests/golden/plan/NAME.xml -> NAME.plan (what explain prints) or NAME.err. UPDATE=1 in the environment
/// rewrites them; the difference is then reviewed.
#include "security/explain.hpp"
#include "tests/unit/driver/plan_world.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace fs = std::filesystem;

namespace cloister::test {

namespace {

fs::path folder() { return fs::path(CLOISTER_SOURCE) / "tests/golden/plan"; }

std::string slurp(const fs::path& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}
bool updating() { return std::getenv("UPDATE") != nullptr; }

std::vector<std::string> names_of_inputs() {
    std::set<std::string> sorted;
    for (const auto& entry : fs::directory_iterator(folder()))
        if (entry.path().extension() == ".xml") sorted.insert(entry.path().stem());
    return {sorted.begin(), sorted.end()};
}

class Golden : public testing::TestWithParam<std::string> {};

} // namespace

TEST_P(Golden, PlanIsAsRecorded) {
    const auto stem = folder() / GetParam();
    const auto plan = PlanWorld().planned(slurp(stem.string() + ".xml"));
    const auto text = plan ? explained_text(*plan) : full_text(plan.error()) + "\n";
    const auto file = stem.string() + (plan ? ".plan" : ".err");
    const auto other = stem.string() + (plan ? ".err" : ".plan");
    if (updating()) {
        std::ofstream(file) << text;
        fs::remove(other);
    }
    EXPECT_FALSE(fs::exists(other));
    EXPECT_EQ(text, slurp(file));
}

INSTANTIATE_TEST_SUITE_P(Plans, Golden, testing::ValuesIn(names_of_inputs()), [](const auto& input) {
    std::string name = input.param;
    for (auto& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    return name;
});

} // namespace cloister::test
