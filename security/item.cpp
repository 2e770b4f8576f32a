#include "security/item.hpp"

#include <boost/json/serialize.hpp>

namespace cloister {

constexpr char marker = '\x01';

std::string fd_symbol(std::string_view name) { return marker + std::string(name) + marker; }

std::string with_symbols(std::string_view text,
                         const std::vector<std::pair<std::string, std::string>>& numbers) {
    std::string out(text);
    for (const auto& [name, number] : numbers) {
        // boost::json writes U+0001 as an escape, so both spellings are looked for
        for (const auto& symbol : {fd_symbol(name), "\\u0001" + name + "\\u0001"})
            for (auto at = out.find(symbol); at != std::string::npos;
                 at = out.find(symbol, at + number.size()))
                out.replace(at, symbol.size(), number);
    }
    return out;
}

KeyValues& KeyValues::add(std::string_view key, std::string_view value) {
    word(key);
    text_ += '=';
    for (const char c : value) {
        if (c == ',') text_ += ',';
        text_ += c;
    }
    return *this;
}
KeyValues& KeyValues::word(std::string_view bare) {
    if (!text_.empty()) text_ += ',';
    text_ += bare;
    return *this;
}

std::vector<std::string> words(const QemuItem& item) {
    std::vector<std::string> out;
    if (!item.option.empty()) out.push_back("-" + item.option);
    if (const auto* text = std::get_if<std::string>(&item.value)) out.push_back(*text);
    if (const auto* json = std::get_if<boost::json::object>(&item.value))
        out.push_back(boost::json::serialize(*json));
    return out;
}

} // namespace cloister
