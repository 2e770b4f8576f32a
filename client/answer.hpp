/// What a verb answers, before it is printed: as text for people or as JSON for programs.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cloister::client {

/// Rows below headers. `keys` name the columns in JSON.
struct Table {
    std::vector<std::string> headers{}, keys{};
    std::vector<std::vector<std::string>> rows{};
};
/// "Name: value" lines. The first of each triple is its name in JSON.
struct Facts {
    struct Fact {
        std::string key{}, label{}, value{};
    };
    std::vector<Fact> facts{};
    void add(std::string key, std::string label, std::string value) {
        facts.push_back({std::move(key), std::move(label), std::move(value)});
    }
};
/// Text that is printed as it is (a document), and for verbs that only act the sentence that says so.
struct Document {
    std::string text{};
};
struct Done {
    std::string sentence{};
};
using Answer = std::variant<std::monostate, Table, Facts, Document, Done, boost::json::value>;

/// The columns of a terminal's text that `text` takes: wide characters count twice, combining ones not.
std::size_t columns(const std::string& text);
/// As virsh prints it. `width`: of the terminal; cells that would not fit are cut with "…"; 0: never cut.
std::string text_of(const Answer& answer, std::size_t width);
std::string json_of(const Answer& answer);

} // namespace cloister::client
