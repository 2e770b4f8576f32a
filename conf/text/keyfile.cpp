#include "conf/text/keyfile.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"

#include <charconv>

namespace cloister::keyfile {
namespace {

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
public:
    Parser(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

    Result<std::vector<Entry>> all() {
        std::vector<Entry> entries;
        for (;;) {
            skip_empty_lines();
            if (rest_.empty()) return entries;
            entries.push_back(TRY(statement()));
            skip_blanks();
            skip_comment();
            if (!rest_.empty() && !at_end_of_line() && rest_.front() != ';')
                return std::unexpected(error(tr("expecting a separator")));
        }
    }

private:
    Error error(std::string what) const {
        return {.code = Code::conf_syntax,
                .message = std::string(file_) + ":" + std::to_string(line_) + ": " + std::move(what),
                .domain = ErrorDomain::conf};
    }
    bool at_end_of_line() const { return !rest_.empty() && (rest_.front() == '\n' || rest_.front() == '\r'); }
    void skip_blanks() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
    }
    void skip_comment() {
        if (rest_.empty() || rest_.front() != '#') return;
        while (!rest_.empty() && !at_end_of_line()) rest_.remove_prefix(1);
    }
    /// A line ends with \n, \r or both.
    void next_line() {
        ++line_;
        rest_.remove_prefix(rest_.starts_with("\r\n") ? 2 : 1);
    }
    void skip_empty_lines() {
        for (;;) {
            skip_blanks();
            skip_comment();
            if (rest_.empty()) return;
            if (at_end_of_line())
                next_line();
            else if (rest_.front() == ';')
                rest_.remove_prefix(1);
            else
                return;
        }
    }

    Result<Entry> statement() {
        Entry entry{.line = line_};
        if (!letter(rest_.front())) return std::unexpected(error(tr("expecting a name")));
        std::size_t n = 1;
        while (n < rest_.size() && (letter(rest_[n]) || digit(rest_[n]) || rest_[n] == '_')) ++n;
        entry.name = rest_.substr(0, n);
        rest_.remove_prefix(n);
        skip_blanks();
        if (rest_.empty() || rest_.front() != '=')
            return std::unexpected(error(tr("expecting an assignment")));
        rest_.remove_prefix(1);
        skip_blanks();
        entry.value = TRY(value(0));
        return entry;
    }

    Result<Value> value(int depth) {
        const int line = line_;
        if (rest_.empty()) return std::unexpected(error(tr("expecting a value")));
        const char c = rest_.front();
        if (c == '\'' || c == '"') return Value{.what = TRY(string()), .line = line};
        if (c == '[') return Value{.what = TRY(list(depth)), .line = line};
        if (digit(c) || c == '-' || c == '+') return Value{.what = TRY(number()), .line = line};
        return std::unexpected(error(tr("expecting a value")));
    }

    Result<std::string> string() {
        const bool several_lines = rest_.starts_with("\"\"\"");
        const std::string_view quote = several_lines ? rest_.substr(0, 3) : rest_.substr(0, 1);
        rest_.remove_prefix(quote.size());
        const auto end = rest_.find(quote);
        const auto inside = rest_.substr(0, end);
        if (end == std::string_view::npos ||
            (!several_lines && inside.find_first_of("\r\n") != std::string_view::npos))
            return std::unexpected(error(tr("unterminated string")));
        for (std::size_t i = 0; i < inside.size(); ++i)
            line_ += inside[i] == '\n' || (inside[i] == '\r' && !inside.substr(i + 1).starts_with('\n'));
        rest_.remove_prefix(end + quote.size());
        return std::string(inside);
    }

    Result<Number> number() {
        Number number{.negative = rest_.front() == '-'};
        if (!digit(rest_.front())) rest_.remove_prefix(1);
        const auto [end, ec] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number.magnitude);
        if (ec == std::errc::result_out_of_range) return std::unexpected(error(tr("number is too large")));
        if (ec != std::errc{}) return std::unexpected(error(tr("unterminated number")));
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return number;
    }

    Result<List> list(int depth) {
        if (depth >= most_depth)
            return std::unexpected(error(tr("lists are nested deeper than {0}", most_depth)));
        rest_.remove_prefix(1);
        List items;
        for (;;) {
            skip_empty_space_in_list();
            if (rest_.empty()) return std::unexpected(error(tr("list is not closed with ]")));
            if (rest_.front() == ']') break;
            items.push_back(TRY(value(depth + 1)));
            skip_empty_space_in_list();
            if (rest_.empty()) return std::unexpected(error(tr("list is not closed with ]")));
            if (rest_.front() == ',')
                rest_.remove_prefix(1);
            else if (rest_.front() != ']')
                return std::unexpected(error(tr("expecting a separator in list")));
        }
        rest_.remove_prefix(1);
        return items;
    }
    void skip_empty_space_in_list() {
        for (;;) {
            skip_blanks();
            skip_comment();
            if (!at_end_of_line()) return;
            next_line();
        }
    }

    std::string_view rest_;
    std::string_view file_;
    int line_ = 1;
};

} // namespace

bool Value::operator==(const Value& o) const { return what == o.what; }

Result<std::vector<Entry>> read(std::string_view text, std::string_view file) {
    if (text.size() > most_bytes)
        return fail(Code::conf_syntax, tr("{0}: file is larger than {1} bytes", file, most_bytes));
    return Parser(text, file).all();
}

const Entry* find(const std::vector<Entry>& entries, std::string_view name) {
    for (const auto& entry : entries)
        if (entry.name == name) return &entry;
    return nullptr;
}

std::string_view kind(const Value& value) {
    return std::visit(overload{[](const std::string&) { return "string"; },
                               [](const Number&) { return "integer"; }, [](const List&) { return "list"; }},
                      value.what);
}

std::string print(const Value& value) {
    return std::visit(
        overload{[](const std::string& s) {
                     const bool one = s.find('\'') != s.npos, two = s.find('"') != s.npos;
                     const bool lines = s.find_first_of("\r\n") != s.npos;
                     const char* const quote = lines || (one && two) ? "\"\"\"" : two ? "'" : "\"";
                     return quote + s + quote;
                 },
                 [](const Number& n) { return (n.negative ? "-" : "") + std::to_string(n.magnitude); },
                 [](const List& items) {
                     std::string out = "[";
                     for (const auto& item : items) out += (out.size() > 1 ? ", " : " ") + print(item);
                     return out + " ]";
                 }},
        value.what);
}

} // namespace cloister::keyfile
