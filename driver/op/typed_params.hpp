/// The list of named values that many calls answer with.
#pragma once

#include "conf/call/common.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace cloister {

class TypedParams {
public:
    template <class V> void add(std::string name, V value) {
        items.push_back({.field = {std::move(name)}, .value = std::move(value)});
    }
    /// Who does not say that texts are welcome (flag 4) gets none.
    void drop_texts() {
        std::erase_if(items, [](const auto& p) { return std::holds_alternative<std::string>(p.value); });
    }
    /// What an answer carries: nothing but their number when 0 are asked for, else the first `most`.
    template <class Out> Out answer(std::int32_t most) && {
        Out out;
        if (most > 0) {
            if (items.size() > static_cast<std::size_t>(most)) items.resize(static_cast<std::size_t>(most));
            out.params.items = std::move(items);
        }
        if constexpr (requires { out.nparams; })
            out.nparams = static_cast<std::int32_t>(most > 0 ? out.params.items.size() : items.size());
        return out;
    }
    std::vector<call::TypedParam> items{};
};

} // namespace cloister
