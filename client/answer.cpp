#include "client/answer.hpp"

#include "conf/base/overload.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cwchar>

namespace cloister::client {
namespace {

/// The first `most` columns of a text, the last of them "…" when something was cut.
std::string cut(const std::string& text, std::size_t most) {
    if (columns(text) <= most) return text;
    std::string out;
    std::mbstate_t state{};
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size();) {
        wchar_t wide{};
        auto n = std::mbrtowc(&wide, text.data() + at, text.size() - at, &state);
        if (n == 0 || n > text.size()) n = 1;
        const auto width = static_cast<std::size_t>(std::max(0, ::wcwidth(wide)));
        if (used + width + 1 > most) break;
        out += text.substr(at, n);
        used += width;
        at += n;
    }
    return out + "…";
}
std::string padded(const std::string& text, std::size_t width) {
    const auto have = columns(text);
    return text + std::string(have < width ? width - have : 0, ' ');
}

/// The widths of the columns: what the cells need, the widest cut until the table fits.
std::vector<std::size_t> widths(const Table& table, std::size_t width) {
    std::vector<std::size_t> out;
    for (std::size_t c = 0; c < table.headers.size(); ++c) {
        auto need = columns(table.headers[c]);
        for (const auto& row : table.rows) need = std::max(need, columns(row.at(c)));
        out.push_back(need);
    }
    auto total = [&] {
        std::size_t sum = 1;
        for (const auto w : out) sum += w + 3;
        return sum;
    };
    while (width && total() > width) {
        const auto widest = std::ranges::max_element(out);
        if (*widest <= 8) break;
        --*widest;
    }
    return out;
}

std::string text_of_table(const Table& table, std::size_t width) {
    const auto column = widths(table, width);
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string out = " ";
        for (std::size_t c = 0; c < cells.size(); ++c)
            out += c + 1 < cells.size() ? padded(cut(cells[c], column[c]), column[c] + 3)
                                        : cut(cells[c], column[c]);
        return out + "\n";
    };
    std::size_t rule = 1;
    for (const auto w : column) rule += w + 3;
    std::string out = line(table.headers) + std::string(rule - 1, '-') + "\n";
    for (const auto& row : table.rows) out += line(row);
    return out;
}

std::string text_of_facts(const Facts& facts) {
    std::size_t longest = 0;
    for (const auto& fact : facts.facts) longest = std::max(longest, columns(fact.label));
    std::string out;
    for (const auto& fact : facts.facts)
        out += padded(fact.label + ":", std::max<std::size_t>(longest + 2, 16)) + fact.value + "\n";
    return out;
}

} // namespace

std::size_t columns(const std::string& text) {
    std::mbstate_t state{};
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size();) {
        wchar_t wide{};
        auto n = std::mbrtowc(&wide, text.data() + at, text.size() - at, &state);
        if (n == 0 || n > text.size()) {
            n = 1;
            wide = L'?';
        }
        used += static_cast<std::size_t>(std::max(0, ::wcwidth(wide)));
        at += n;
    }
    return used;
}

std::string text_of(const Answer& answer, std::size_t width) {
    return std::visit(overload{[](std::monostate) { return std::string{}; },
                               [&](const Table& t) { return text_of_table(t, width); },
                               [](const Facts& f) { return text_of_facts(f); },
                               [](const Document& d) { return d.text; },
                               [](const Done& d) { return d.sentence + "\n"; },
                               [](const boost::json::value& v) { return boost::json::serialize(v) + "\n"; }},
                      answer);
}

std::string json_of(const Answer& answer) {
    boost::json::value out = std::visit(
        overload{[](std::monostate) { return boost::json::value{}; },
                 [](const Table& t) -> boost::json::value {
                     boost::json::array rows;
                     for (const auto& row : t.rows) {
                         boost::json::object object;
                         for (std::size_t c = 0; c < row.size(); ++c) object[t.keys.at(c)] = row[c];
                         rows.push_back(std::move(object));
                     }
                     return rows;
                 },
                 [](const Facts& f) -> boost::json::value {
                     boost::json::object object;
                     for (const auto& fact : f.facts) object[fact.key] = fact.value;
                     return object;
                 },
                 [](const Document& d) -> boost::json::value { return boost::json::string(d.text); },
                 [](const Done& d) -> boost::json::value { return {{"done", d.sentence}}; },
                 [](const boost::json::value& v) { return v; }},
        answer);
    return boost::json::serialize(out) + "\n";
}

} // namespace cloister::client
