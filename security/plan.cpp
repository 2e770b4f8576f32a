#include "security/plan.hpp"

#include <iterator>

namespace cloister {

std::vector<std::string> argv(const LaunchPlan& plan) {
    std::vector<std::string> out{plan.emulator};
    for (const auto& item : plan.items) {
        auto w = words(item);
        out.insert(out.end(), std::make_move_iterator(w.begin()), std::make_move_iterator(w.end()));
    }
    return out;
}

} // namespace cloister
