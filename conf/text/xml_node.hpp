/// XML as plain values. Only xml_node.cpp knows libxml2.
#pragma once

#include "conf/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister::xml {

struct Attribute {
    std::string name{};
    std::string value{};
    std::string ns{};     ///< namespace URI; empty: none
    std::string prefix{}; ///< as written; only printing uses it
    bool operator==(const Attribute&) const = default;
};

/// An element, or (only inside what is kept verbatim: mixed content) a piece of text or a comment.
struct Node {
    enum class Kind { element, text, comment };

    std::string name{};
    std::vector<Attribute> attributes{};
    std::vector<Node> children{};
    std::string text{}; ///< of an element without text children: its character data; of text and comment: all
    int line = 0;       ///< 1-based line in the source, for messages; not part of equality
    std::string ns{};   ///< namespace URI; empty: none
    std::string prefix{};                  ///< as written; only printing uses it
    std::vector<Attribute> declarations{}; ///< xmlns…: name = prefix (empty: default), value = URI
    Kind kind = Kind::element;
    bool verbatim = false; ///< printed in libxml2's own style, as users' metadata is; not part of equality

    /// The value of the un-namespaced attribute `key`; null when absent. Valid while this node is.
    const std::string* attribute(std::string_view key) const;
    /// The first child element `key` in no namespace; null when absent.
    const Node* child(std::string_view key) const;
    Node& set(std::string_view key, std::string value); ///< adds or replaces an attribute; returns *this
    Node& add(std::string key);                         ///< appends a child element and returns it
    bool operator==(const Node& other) const;
};

/// Limits that hold for every document: 10 MiB, depth 256, no DTD, no entities but XML's own five.
inline constexpr std::size_t most_bytes = 10u << 20;
inline constexpr int most_depth = 256;

/// Parses one document. Blanks between elements are dropped; mixed content keeps its text nodes.
/// Errors: Code::xml_detail, "(NAME):LINE: what is wrong" with the source line and a caret, as virsh users
/// know it.
Result<Node> read(std::string_view document, std::string_view name = "(domain_definition)");

/// The text of an element: 2 blanks a level, single quotes, libvirt's entities, a newline at the end.
/// `indent` is the level of the element itself.
std::string print(const Node& node, int indent = 0);

/// `text` with & < > ' " as entities, as the text of an attribute or element.
std::string escaped(std::string_view text);

} // namespace cloister::xml
