/// All or nothing: applies Ops in order; when one fails, takes back those before it, newest first.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace cloister {

/// What a write-ahead journal is told: inverses, newest first, BEFORE the Ops are applied.
using Journal = std::function<Result<>(const std::vector<Op>&)>;

/// Gives the inverses, newest first. The failed Op itself is taken back too: it may have happened in part,
/// and taking back what did not happen is harmless. An error of taking back is added to the error's context.
template <class Apply>
Result<std::vector<Op>> apply_all(const std::vector<Op>& ops, const Journal& journal, Apply&& apply_one) {
    auto undo = inverses(ops);
    if (journal && !undo.empty())
        if (auto saved = journal(undo); !saved) return std::unexpected(std::move(saved).error());
    for (std::size_t i = 0; i < ops.size(); ++i) {
        auto done = apply_one(ops[i]);
        if (done) continue;
        auto error = std::move(done).error();
        for (const auto& back : inverses({ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(i) + 1}))
            if (auto undone = apply_one(back); !undone)
                error.context.push_back("taking back: " + undone.error().message);
        return std::unexpected(std::move(error));
    }
    return undo;
}

} // namespace cloister
