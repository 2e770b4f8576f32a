#include "conf/settings/key.hpp"

#include "conf/base/tr.hpp"
#include "conf/base/uuid.hpp"

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

bool absolute(std::string_view path) { return path.starts_with('/'); }

/// Whether only this host itself can be reached under that name.
bool here_only(std::string_view name) {
    return name.starts_with("localhost") || name.starts_with("127.") || name == "::1" || name == "[::1]";
}

/// Empty when the text has the form.
Complaint off_form(std::string_view text, Form form) {
    switch (form) {
    case Form::any: return {};
    case Form::filled: return text.empty() ? tr("it must not be empty") : Complaint{};
    case Form::path: return absolute(text) ? Complaint{} : tr("'{0}' is no absolute path", text);
    case Form::path_or_none:
        return text.empty() || absolute(text) ? Complaint{} : tr("'{0}' is no absolute path", text);
    case Form::uuid: return parse_uuid(text) ? Complaint{} : tr("'{0}' is no uuid", text);
    case Form::octal_mode:
        return !text.empty() && text.size() <= 4 &&
                       text.find_first_not_of("01234567") == std::string_view::npos
                   ? Complaint{}
                   : tr("'{0}' is no octal mode such as \"0770\"", text);
    case Form::far_address:
        if (text.empty()) return tr("it must not be empty");
        return here_only(text) ? tr("'{0}' cannot be reached from other hosts", text) : Complaint{};
    case Form::firmware_pair: {
        const auto colon = text.find(':');
        return colon != std::string_view::npos && absolute(text) && absolute(text.substr(colon + 1))
                   ? Complaint{}
                   : tr("'{0}' is no pair of absolute paths, CODE:VARS", text);
    }
    }
    return {};
}

/// Empty when the word may stand there.
Complaint off_range(const std::string& text, const Range& range) {
    if (!is_choice(text, range.choices)) return not_a_choice(text, range.choices);
    return off_form(text, range.form);
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

Complaint read_value(const keyfile::Value& value, const Range& range, bool& out) {
    const auto* number = std::get_if<keyfile::Number>(&value.what);
    if (!number) return wrong_type(value, tr("0 or 1"));
    if (number->magnitude > 1 || number->negative) return tr("the value must be 0 or 1");
    if (number->magnitude > range.most) return tr("only 0 is left: what 1 asks for is gone");
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
    if (auto complaint = off_range(*text, range); !complaint.empty()) return complaint;
    out = *text;
    return {};
}
Complaint read_value(const keyfile::Value& value, const Range& range, std::vector<std::string>& out) {
    out.clear();
    if (const auto* text = std::get_if<std::string>(&value.what); text && range.bare_string) {
        if (auto complaint = off_range(*text, range); !complaint.empty()) return complaint;
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
        if (auto complaint = off_range(*text, range); !complaint.empty()) return complaint;
        out.push_back(*text);
    }
    return {};
}

std::string allowed(Type type, const Range& range) {
    switch (type) {
    case Type::zero_or_one: return tr("0 or 1");
    case Type::text: return tr("a quoted string");
    case Type::list: return range.bare_string ? tr("a string or a list of strings") : tr("a list of strings");
    case Type::integer: break;
    }
    std::string out = tr("an integer");
    if (range.most < std::numeric_limits<std::uint32_t>::max())
        out = tr("an integer from {0} to {1}", range.least, range.most);
    if (range.signed_number) out = tr("{0}, or -1", out);
    return range.word.empty() ? out : tr("{0}, or \"{1}\"", out, range.word);
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
