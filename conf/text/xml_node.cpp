#include "conf/text/xml_node.hpp"

#include "conf/base/tr.hpp"
#include "conf/text/xml_head.hpp"

#include <algorithm>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlreader.h>
#include <memory>

namespace cloister::xml {
namespace {

struct FreeDoc {
    void operator()(xmlDoc* d) const { xmlFreeDoc(d); }
};
struct FreeParser {
    void operator()(xmlParserCtxt* p) const { xmlFreeParserCtxt(p); }
};

std::string utf8(const xmlChar* s) { return s ? reinterpret_cast<const char*>(s) : ""; }

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::string value_of(const xmlAttr* attribute) {
    std::string value;
    for (const auto* c = attribute->children; c; c = c->next) value += utf8(c->content);
    return value;
}

void take_names(const xmlNode* from, Node& to) {
    if (from->ns) {
        to.ns = utf8(from->ns->href);
        to.prefix = utf8(from->ns->prefix);
    }
    for (const auto* d = from->nsDef; d; d = d->next)
        to.declarations.push_back({.name = utf8(d->prefix), .value = utf8(d->href)});
    for (const auto* a = from->properties; a; a = a->next)
        to.attributes.push_back({.name = utf8(a->name),
                                 .value = value_of(a),
                                 .ns = a->ns ? utf8(a->ns->href) : "",
                                 .prefix = a->ns ? utf8(a->ns->prefix) : ""});
}

Node convert(const xmlNode* from) {
    Node node{.name = utf8(from->name), .line = static_cast<int>(xmlGetLineNo(from))};
    take_names(from, node);
    bool has_elements = false, has_text = false;
    for (const auto* c = from->children; c; c = c->next) {
        if (c->type == XML_ELEMENT_NODE) has_elements = true;
        if ((c->type == XML_TEXT_NODE || c->type == XML_CDATA_SECTION_NODE) && !blank(utf8(c->content)))
            has_text = true;
    }
    for (const auto* c = from->children; c; c = c->next) {
        if (c->type == XML_ELEMENT_NODE) node.children.push_back(convert(c));
        if (c->type == XML_COMMENT_NODE)
            node.children.push_back({.text = utf8(c->content), .kind = Node::Kind::comment});
        if (c->type != XML_TEXT_NODE && c->type != XML_CDATA_SECTION_NODE) continue;
        if (has_elements && has_text)
            node.children.push_back({.text = utf8(c->content), .kind = Node::Kind::text});
        else if (!has_elements)
            node.text += utf8(c->content);
    }
    return node;
}

bool too_deep(const xmlNode* node) {
    int depth = 1;
    for (const auto* at = node; at;) { // without recursion: the document is not trusted yet
        if (depth > most_depth) return true;
        if (at->type == XML_ELEMENT_NODE && at->children) {
            at = at->children;
            ++depth;
            continue;
        }
        while (at && at != node && !at->next) {
            at = at->parent;
            --depth;
        }
        at = at == node ? nullptr : at->next;
    }
    return false;
}

/// "name:LINE: message", then the line and a caret below the column.
Error malformed(const xmlError* e, std::string_view name) {
    if (!e)
        return {.code = Code::xml_detail,
                .message = tr("{0}: cannot be parsed", name),
                .domain = ErrorDomain::xml};
    std::string what = e->message ? e->message : "";
    while (!what.empty() && what.back() == '\n') what.pop_back();
    Error error{.code = Code::xml_detail,
                .message = std::string(name) + ":" + std::to_string(e->line) + ": " + what,
                .domain = ErrorDomain::xml};
    return error;
}

/// The source line that `e` points at and a caret: what clients print below the message.
std::string excerpt(std::string_view document, const xmlError* e) {
    if (!e || e->line <= 0) return {};
    std::size_t begin = 0;
    for (int line = 1; line < e->line; ++line) {
        begin = document.find('\n', begin);
        if (begin == std::string_view::npos) return {};
        ++begin;
    }
    auto line = document.substr(begin, document.find('\n', begin) - begin);
    const auto column = static_cast<std::size_t>(std::max(0, e->int2 - 1));
    if (line.size() > 160) return {};
    return "\n" + std::string(line) + "\n" + std::string(std::min(column, line.size()), '-') + "^";
}

struct FreeReader {
    void operator()(xmlTextReader* r) const { xmlFreeTextReader(r); }
};

Error refused(std::string_view name, std::string message) {
    return {.code = Code::xml_detail,
            .message = std::string(name) + ": " + std::move(message),
            .domain = ErrorDomain::xml};
}

} // namespace

const std::string* Node::attribute(std::string_view key) const {
    for (const auto& a : attributes)
        if (a.name == key && a.ns.empty()) return &a.value;
    return nullptr;
}
const Node* Node::child(std::string_view key) const {
    for (const auto& c : children)
        if (c.kind == Kind::element && c.name == key && c.ns.empty()) return &c;
    return nullptr;
}
Node& Node::set(std::string_view key, std::string value) {
    for (auto& a : attributes)
        if (a.name == key && a.ns.empty()) {
            a.value = std::move(value);
            return *this;
        }
    attributes.push_back({.name = std::string(key), .value = std::move(value)});
    return *this;
}
Node& Node::add(std::string key) {
    children.push_back({.name = std::move(key)});
    return children.back();
}
bool Node::operator==(const Node& other) const {
    return name == other.name && ns == other.ns && attributes == other.attributes && text == other.text &&
           kind == other.kind && children == other.children;
}

namespace {

Result<> check_bytes(std::string_view document, std::string_view name) {
    if (document.size() > most_bytes)
        return std::unexpected(refused(name, tr("document is larger than {0} bytes", most_bytes)));
    if (document.find('\0') != std::string_view::npos)
        return std::unexpected(refused(name, tr("document contains a NUL byte")));
    return {};
}

constexpr int parse_options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;

} // namespace

Result<Node> read_head(std::string_view document, std::span<const std::string_view> names,
                       std::string_view name) {
    TRY(check_bytes(document, name));
    const std::unique_ptr<xmlTextReader, FreeReader> reader{xmlReaderForMemory(
        document.data(), static_cast<int>(document.size()), nullptr, nullptr, parse_options)};
    if (!reader) return fail(Code::no_memory, tr("out of memory"));
    Node root;
    Node* inside = nullptr;
    int more = 0;
    while ((more = xmlTextReaderRead(reader.get())) == 1) {
        const int depth = xmlTextReaderDepth(reader.get());
        const auto text = [&] { return utf8(xmlTextReaderConstValue(reader.get())); };
        switch (xmlTextReaderNodeType(reader.get())) {
        case XML_READER_TYPE_DOCUMENT_TYPE:
            return std::unexpected(refused(name, tr("a document type definition is not accepted")));
        case XML_READER_TYPE_ELEMENT: {
            const auto found = utf8(xmlTextReaderConstLocalName(reader.get()));
            const bool is_empty = xmlTextReaderIsEmptyElement(reader.get()) == 1;
            if (depth >= most_depth)
                return std::unexpected(refused(name, tr("elements are nested deeper than {0}", most_depth)));
            if (depth == 0) root.name = found;
            if (depth > 1) inside = nullptr; // text beside elements is none of ours
            if (depth != 1) break;
            const bool ours = !xmlTextReaderConstNamespaceUri(reader.get()) && !root.child(found) &&
                              std::ranges::count(names, found) > 0;
            inside = ours ? &root.add(found) : nullptr;
            if (is_empty) inside = nullptr;
            break;
        }
        case XML_READER_TYPE_TEXT:
        case XML_READER_TYPE_CDATA:
        case XML_READER_TYPE_WHITESPACE:
        case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
            if (inside && depth == 2) inside->text += text();
            break;
        case XML_READER_TYPE_END_ELEMENT:
            if (depth == 1) inside = nullptr;
            break;
        default: break;
        }
        if (!inside && root.children.size() == names.size()) return root;
    }
    if (more == 0) return root;
    const auto* e = xmlGetLastError();
    auto error = malformed(e, name);
    error.message += excerpt(document, e);
    return std::unexpected(std::move(error));
}

Result<Node> read(std::string_view document, std::string_view name) {
    TRY(check_bytes(document, name));
    const std::unique_ptr<xmlParserCtxt, FreeParser> parser{xmlNewParserCtxt()};
    if (!parser) return fail(Code::no_memory, tr("out of memory"));
    const std::unique_ptr<xmlDoc, FreeDoc> doc{xmlCtxtReadMemory(
        parser.get(), document.data(), static_cast<int>(document.size()), nullptr, nullptr, parse_options)};
    if (!doc) {
        const auto* e = xmlCtxtGetLastError(parser.get());
        auto error = malformed(e, name);
        error.message += excerpt(document, e);
        return std::unexpected(std::move(error));
    }
    if (doc->intSubset || doc->extSubset)
        return std::unexpected(refused(name, tr("a document type definition is not accepted")));
    const auto* root = xmlDocGetRootElement(doc.get());
    if (!root) return std::unexpected(refused(name, tr("the document is empty")));
    if (too_deep(root))
        return std::unexpected(refused(name, tr("elements are nested deeper than {0}", most_depth)));
    return convert(root);
}

namespace {

std::string qualified(const std::string& prefix, const std::string& name) {
    return prefix.empty() ? name : prefix + ":" + name;
}

/// As libxml2 escapes: quotes stay in text, line breaks survive in attributes.
std::string escaped_verbatim(std::string_view text, bool attribute) {
    std::string out;
    for (const char c : text) switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '\r': out += "&#13;"; break;
        case '"': out += attribute ? "&quot;" : "\""; break;
        case '\n': out += attribute ? "&#10;" : "\n"; break;
        case '\t': out += attribute ? "&#9;" : "\t"; break;
        default: out += c;
        }
    return out;
}

void print_verbatim(const Node& node, int indent, bool inline_content, std::string& out) {
    if (node.kind == Node::Kind::text) {
        out += escaped_verbatim(node.text, false);
        return;
    }
    const auto margin = std::string(inline_content ? 0 : static_cast<std::size_t>(indent) * 2, ' ');
    const char* const end = inline_content ? "" : "\n";
    if (node.kind == Node::Kind::comment) {
        out += margin + "<!--" + node.text + "-->" + end;
        return;
    }
    const auto name = qualified(node.prefix, node.name);
    out += margin + "<" + name;
    for (const auto& d : node.declarations)
        out +=
            (d.name.empty() ? " xmlns" : " xmlns:" + d.name) + "=\"" + escaped_verbatim(d.value, true) + "\"";
    for (const auto& a : node.attributes)
        out += " " + qualified(a.prefix, a.name) + "=\"" + escaped_verbatim(a.value, true) + "\"";
    if (node.children.empty()) {
        out +=
            (node.text.empty() ? "/>" : ">" + escaped_verbatim(node.text, false) + "</" + name + ">") + end;
        return;
    }
    const bool flat = inline_content || std::ranges::any_of(node.children, [](const Node& c) {
                          return c.kind == Node::Kind::text;
                      });
    out += flat ? ">" : ">\n";
    for (const auto& c : node.children) print_verbatim(c, indent + 1, flat, out);
    out += (flat ? "" : margin) + "</" + name + ">" + end;
}

} // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '\'': out += "&apos;"; break;
        case '"': out += "&quot;"; break;
        default: out += c;
        }
    return out;
}

namespace {

void print_start(const Node& node, std::string& out) {
    out += "<" + qualified(node.prefix, node.name);
    for (const auto& a : node.attributes)
        out += " " + qualified(a.prefix, a.name) + "='" + escaped(a.value) + "'";
    for (const auto& d : node.declarations)
        out += (d.name.empty() ? " xmlns" : " xmlns:" + d.name) + "='" + escaped(d.value) + "'";
}

void print_into(const Node& node, int indent, bool inline_content, std::string& out) {
    if (node.verbatim) return print_verbatim(node, indent, inline_content, out);
    const std::string margin = inline_content ? "" : std::string(static_cast<std::size_t>(indent) * 2, ' ');
    const char* const end = inline_content ? "" : "\n";
    if (node.kind == Node::Kind::text) {
        out += escaped(node.text);
        return;
    }
    out += margin;
    if (node.kind == Node::Kind::comment) {
        out += "<!--" + node.text + "-->" + end;
        return;
    }
    print_start(node, out);
    const auto close = "</" + (node.prefix.empty() ? node.name : node.prefix + ":" + node.name) + ">";
    if (node.children.empty()) {
        out += (node.text.empty() ? "/>" : ">" + escaped(node.text) + close) + end;
        return;
    }
    const bool mixed =
        std::ranges::any_of(node.children, [](const Node& c) { return c.kind == Node::Kind::text; });
    out += mixed || inline_content ? ">" : ">\n";
    for (const auto& c : node.children) print_into(c, indent + 1, mixed || inline_content, out);
    if (!mixed && !inline_content) out += margin;
    out += close + end;
}

} // namespace

std::string print(const Node& node, int indent) {
    std::string out;
    print_into(node, indent, false, out);
    return out;
}

} // namespace cloister::xml
