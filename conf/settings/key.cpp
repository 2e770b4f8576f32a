#include "conf/settings/key.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <numeric>

namespace cloister::settings {
namespace {

Complaint wrong_type(const keyfile::Value& value, std::string_view expected) {
    return tr("expected {0}, found {1}", expected, keyfile::kind(value));
}
bool is_choice(std::string_view word, std::string_view choices) {
    if (choices.empty()) return true;
    const std::string padded = " " + std::string(choices) + " ";
    return !word.empty() && padded.find(" " + std::string(word) + " ") != std::string::npos;
}
Complaint not_a_choice(std::string_view word, std::string_view choices) {
    return tr("'{0}' is none of: {1}", word, choices);
}

template <class I> Complaint read_number(const keyfile::Value& value, const Range& range, I& out) {
    if (const auto* text = std::get_if<std::string>(&value.what);
        text && !range.word.empty() && *text == range.word) {
        out = std::numeric_limits<I>::max();
        return {};
    }
    const auto* number = std::get_if<keyfile::Number>(&value.what);
    if (!number)
        return wrong_type(value,
                          range.word.empty() ? tr("an integer") : tr("an integer or \"{0}\"", range.word));
    if (number->negative && number->magnitude != 0) {
        if constexpr (std::is_signed_v<I>) {
            if (range.signed_number && number->magnitude == 1) {
                out = -1;
                return {};
            }
        }
        return tr("-{0} is negative", number->magnitude);
    }
    const auto most = std::min(range.most, static_cast<std::uint64_t>(std::numeric_limits<I>::max()));
    if (number->magnitude < range.least || number->magnitude > most)
        return tr("{0} is not between {1} and {2}", number->magnitude, range.least, most);
    out = static_cast<I>(number->magnitude);
    return {};
}

} // namespace

Complaint read_value(const keyfile::Value& value, const Range&, bool& out) {
    const auto* number = std::get_if<keyfile::Number>(&value.what);
    if (!number) return wrong_type(value, tr("0 or 1"));
    if (number->magnitude > 1 || number->negative) return tr("the value must be 0 or 1");
    out = number->magnitude == 1;
    return {};
}
Complaint read_value(const keyfile::Value& v, const Range& r, int& out) { return read_number(v, r, out); }
Complaint read_value(const keyfile::Value& v, const Range& r, unsigned& out) {
    return read_number(v, r, out);
}
Complaint read_value(const keyfile::Value& v, const Range& r, std::uint64_t& out) {
    return read_number(v, r, out);
}
Complaint read_value(const keyfile::Value& value, const Range& range, std::string& out) {
    const auto* text = std::get_if<std::string>(&value.what);
    if (!text) return wrong_type(value, tr("a quoted string"));
    if (!is_choice(*text, range.choices)) return not_a_choice(*text, range.choices);
    out = *text;
    return {};
}
Complaint read_value(const keyfile::Value& value, const Range& range, std::vector<std::string>& out) {
    out.clear();
    if (const auto* text = std::get_if<std::string>(&value.what); text && range.bare_string) {
        if (!is_choice(*text, range.choices)) return not_a_choice(*text, range.choices);
        out.push_back(*text);
        return {};
    }
    const auto* items = std::get_if<keyfile::List>(&value.what);
    if (!items)
        return wrong_type(value,
                          range.bare_string ? tr("a string or a list of strings") : tr("a list of strings"));
    for (const auto& item : *items) {
        const auto* text = std::get_if<std::string>(&item.what);
        if (!text) return wrong_type(item, tr("a quoted string in the list"));
        if (!is_choice(*text, range.choices)) return not_a_choice(*text, range.choices);
        out.push_back(*text);
    }
    return {};
}

std::string print_value(bool value) { return value ? "1" : "0"; }
std::string print_value(int value) { return std::to_string(value); }
std::string print_value(unsigned value) { return std::to_string(value); }
std::string print_value(std::uint64_t value) {
    return value == std::numeric_limits<std::uint64_t>::max() ? "\"unlimited\"" : std::to_string(value);
}
std::string print_value(const std::string& value) { return keyfile::print({.what = value}); }
std::string print_value(const std::vector<std::string>& value) {
    keyfile::List items;
    for (const auto& v : value) items.push_back({.what = v});
    return keyfile::print({.what = items});
}

std::string_view nearest(std::string_view name, const std::vector<std::string_view>& known) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
    for (const auto candidate : known) {
        std::vector<std::size_t> row(candidate.size() + 1);
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 1; i <= name.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= candidate.size(); ++j) {
                const auto above = row[j];
                row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (name[i - 1] != candidate[j - 1])});
                diagonal = above;
            }
        }
        if (row.back() < best_distance) {
            best_distance = row.back();
            best = candidate;
        }
    }
    return best;
}

} // namespace cloister::settings
