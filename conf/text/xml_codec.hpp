/// Struct <-> XML element, as its table of fields says (xml_fields.hpp): reading, printing, and telling what
/// no field takes. Each kind of field has one function for each of these.
#pragma once

#include "conf/text/xml_fields.hpp"

namespace cloister::xml {

// ---- faults ----------------------------------------------------------------------------

/// Code::xml with the element's line.
Error fault(const Node& at, std::string message);
Error bad_value(const Node& at, const char* what,
                std::string_view text); ///< what: attribute name, "" for content
Error missing_attribute(const Node& at, const char* name);
Error missing_child(const Node& at, const char* name);

/// The size in KiB, rounded up, that `text` says in the unit that `at` says. Errors: Code::xml, overflow.
Result<std::uint64_t> read_size(const Node& at, std::string_view text);

/// True for a child that is an element of no namespace called `name`.
bool is(const Node& child, std::string_view name);

/// True for an element that has neither attributes nor child elements.
bool plain(const Node& node);
/// Without the blanks around it.
std::string_view trimmed(std::string_view text);

template <class M> inline constexpr bool is_optional = false;
template <class M> inline constexpr bool is_optional<std::optional<M>> = true;
template <class M> inline constexpr bool is_vector = false;
template <class M> inline constexpr bool is_vector<std::vector<M>> = true;

template <class M> Result<M> scalar(const Node& at, const char* what, std::string_view text) {
    if constexpr (!std::is_same_v<M, std::string>) text = trimmed(text);
    if (auto v = Scalar<M>::read(text)) return std::move(*v);
    return std::unexpected(bad_value(at, what, text));
}
template <class M> std::string printed(const M& v) { return Scalar<M>::write(v); }

template <class T> Result<> parse_fields(const Node& node, T& out, Flavour flavour);
template <class T> Result<T> parse(const Node& node, Flavour flavour = Flavour::inactive);
template <class T> void format_into(const T& value, Node& node, const Style& style = {});
template <class T> bool takes(const T& value, std::string_view name, const Node* child);
template <class T> void unmodelled(const T& value, std::string_view element, std::vector<Unmodelled>& out);

// ---- does a field take this attribute (child == null) or this child? ---------------------

template <class T, class M> bool taken_by(const Attr<T, M>& f, const T&, std::string_view n, const Node* c) {
    return !c && n == f.name;
}
template <class T, class M> bool taken_by(const Content<T, M>&, const T&, std::string_view, const Node*) {
    return false;
}
template <class T> bool taken_by(const Size<T>&, const T&, std::string_view n, const Node* c) {
    return !c && n == "unit";
}
template <class T, class M>
bool taken_by(const SizeAttr<T, M>& f, const T&, std::string_view n, const Node* c) {
    return !c && (n == f.name || n == "unit");
}
template <class T, class M> bool taken_by(const Leaf<T, M>& f, const T&, std::string_view n, const Node* c) {
    return c && n == f.name && plain(*c);
}
template <class T> bool taken_by(const Flag<T>& f, const T&, std::string_view n, const Node* c) {
    return c && n == f.name && plain(*c);
}
template <class T, class M> bool taken_by(const Child<T, M>& f, const T&, std::string_view n, const Node* c) {
    return c && n == f.name;
}
template <class T, class M>
bool taken_by(const Embed<T, M>& f, const T& v, std::string_view n, const Node* c) {
    if constexpr (is_optional<M>)
        return v.*f.member && takes(*(v.*f.member), n, c);
    else
        return takes(v.*f.member, n, c);
}
template <class T, class V, class... A>
bool taken_by(const OneOf<T, V, A...>& f, const T&, std::string_view n, const Node* c) {
    return c && n == f.name;
}
template <class T, class V, class... A>
bool taken_by(const ByAttr<T, V, A...>& f, const T& v, std::string_view n, const Node* c) {
    if (!c && n == f.key) return true;
    return std::visit(
        [&]<class B>(const B& b) {
            if constexpr (std::is_same_v<B, std::monostate>)
                return false;
            else
                return takes(b, n, c);
        },
        v.*f.member);
}
template <class T> bool taken_by(const Special<T>& f, const T&, std::string_view n, const Node* c) {
    return f.takes(n, c);
}
template <class F, class T> bool taken_by(const Live<F>& f, const T& v, std::string_view n, const Node* c) {
    return taken_by(f.field, v, n, c);
}
template <class F, class T> bool taken_by(const Secret<F>& f, const T& v, std::string_view n, const Node* c) {
    return taken_by(f.field, v, n, c);
}
template <class T> bool takes(const T& value, std::string_view name, const Node* child) {
    return fields<T>([&](const auto&... f) { return (taken_by(f, value, name, child) || ...); });
}

// ---- reading -----------------------------------------------------------------------------

template <class T, class M> Result<> parse_field(const Attr<T, M>& f, const Node& n, T& out, Flavour) {
    const auto* text = n.attribute(f.name);
    if constexpr (is_optional<M>) {
        if (text) out.*f.member = TRY(scalar<typename M::value_type>(n, f.name, *text));
    } else {
        if (!text) return std::unexpected(missing_attribute(n, f.name));
        out.*f.member = TRY(scalar<M>(n, f.name, *text));
    }
    return {};
}
template <class T, class M> Result<> parse_field(const Content<T, M>& f, const Node& n, T& out, Flavour) {
    if constexpr (is_optional<M>) {
        if (!n.text.empty()) out.*f.member = TRY(scalar<typename M::value_type>(n, "", n.text));
    } else
        out.*f.member = TRY(scalar<M>(n, "", n.text));
    return {};
}
template <class T> Result<> parse_field(const Size<T>& f, const Node& n, T& out, Flavour) {
    out.*f.member = TRY(read_size(n, n.text));
    return {};
}
template <class T, class M> Result<> parse_field(const SizeAttr<T, M>& f, const Node& n, T& out, Flavour) {
    const auto* text = n.attribute(f.name);
    if (text)
        out.*f.member = TRY(read_size(n, *text));
    else if constexpr (!is_optional<M>)
        return std::unexpected(missing_attribute(n, f.name));
    return {};
}
template <class T, class M> Result<> parse_field(const Leaf<T, M>& f, const Node& n, T& out, Flavour) {
    bool found = false;
    for (const auto& c : n.children) {
        if (!is(c, f.name) || !taken_by(f, out, c.name, &c)) continue;
        if constexpr (is_vector<M>) {
            (out.*f.member).push_back(TRY(scalar<typename M::value_type>(c, "", c.text)));
        } else {
            if (found) continue; // a second one is kept in rest
            found = true;
            if constexpr (is_optional<M>) {
                if (!c.text.empty()) out.*f.member = TRY(scalar<typename M::value_type>(c, "", c.text));
            } else
                out.*f.member = TRY(scalar<M>(c, "", c.text));
        }
    }
    if constexpr (!is_vector<M> && !is_optional<M>)
        if (!found) return std::unexpected(missing_child(n, f.name));
    return {};
}
template <class T> Result<> parse_field(const Flag<T>& f, const Node& n, T& out, Flavour) {
    for (const auto& c : n.children)
        if (is(c, f.name) && taken_by(f, out, c.name, &c)) out.*f.member = true;
    return {};
}
template <class T, class M>
Result<> parse_field(const Child<T, M>& f, const Node& n, T& out, Flavour flavour) {
    if constexpr (is_vector<M>) {
        for (const auto& c : n.children)
            if (is(c, f.name)) (out.*f.member).push_back(TRY(parse<typename M::value_type>(c, flavour)));
    } else {
        const auto* c = n.child(f.name);
        if constexpr (is_optional<M>) {
            if (c) out.*f.member = TRY(parse<typename M::value_type>(*c, flavour));
        } else {
            if (!c) return std::unexpected(missing_child(n, f.name));
            out.*f.member = TRY(parse<M>(*c, flavour));
        }
    }
    return {};
}
template <class T, class M>
Result<> parse_field(const Embed<T, M>& f, const Node& n, T& out, Flavour flavour) {
    return parse_fields(n, out.*f.member, flavour);
}
/// Sets `out` to the alternative that `tag` chooses, read from `from`.
template <bool Whole, class B, class V>
Result<> parse_alternative(const Node& from, V& out, Flavour flavour) {
    B b{};
    if constexpr (Whole)
        b = TRY((parse<B>(from, flavour)));
    else if constexpr (!std::is_same_v<B, std::monostate>)
        TRY(parse_fields(from, b, flavour));
    out = std::move(b);
    return {};
}
template <bool Whole, class... A, class V, std::size_t N>
Result<> parse_choice(const std::array<const char*, N>& tags, const Node& from, const char* key,
                      const std::string& tag, V& out, Flavour flavour) {
    using Parse = Result<> (*)(const Node&, V&, Flavour);
    static constexpr Parse parsers[] = {&parse_alternative<Whole, A, V>...};
    for (std::size_t i = 0; i < N; ++i)
        if (tag == tags[i]) return parsers[i](from, out, flavour);
    return std::unexpected(bad_value(from, key, tag));
}
template <class T, class V, class... A>
Result<> parse_field(const OneOf<T, V, A...>& f, const Node& n, T& out, Flavour flavour) {
    const auto* c = n.child(f.name);
    if (!c) {
        if constexpr (std::is_same_v<std::variant_alternative_t<0, V>, std::monostate>)
            return {};
        else
            return std::unexpected(missing_child(n, f.name));
    }
    const auto* tag = c->attribute(f.key);
    if (!tag) return std::unexpected(missing_attribute(*c, f.key));
    TRY((parse_choice<true, A...>(f.tags, *c, f.key, *tag, out.*f.member, flavour)));
    std::visit(
        [&]<class B>(B& b) { // the key is the field's own, not something left over
            if constexpr (requires { b.rest; })
                std::erase_if(b.rest.attributes, [&](const Attribute& a) { return a.name == f.key; });
        },
        out.*f.member);
    return {};
}
template <class T, class V, class... A>
Result<> parse_field(const ByAttr<T, V, A...>& f, const Node& n, T& out, Flavour flavour) {
    const auto* tag = n.attribute(f.key);
    if (!tag) {
        if constexpr (std::is_same_v<std::variant_alternative_t<0, V>, std::monostate>)
            return {};
        else
            return std::unexpected(missing_attribute(n, f.key));
    }
    return parse_choice<false, A...>(f.tags, n, f.key, *tag, out.*f.member, flavour);
}
template <class T> Result<> parse_field(const Special<T>& f, const Node& n, T& out, Flavour flavour) {
    return f.parse(n, out, flavour);
}
template <class F, class T> Result<> parse_field(const Live<F>& f, const Node& n, T& out, Flavour flavour) {
    if (flavour == Flavour::inactive) return {};
    return parse_field(f.field, n, out, flavour);
}
template <class F, class T> Result<> parse_field(const Secret<F>& f, const Node& n, T& out, Flavour flavour) {
    return parse_field(f.field, n, out, flavour);
}

template <class T> Result<> parse_fields(const Node& node, T& out, Flavour flavour) {
    Result<> status{};
    fields<T>(
        [&](const auto&... f) { (void)((status = parse_field(f, node, out, flavour)).has_value() && ...); });
    return status;
}

/// Moves what `value` does not take of `node` into its rest; the second of a single element counts as not
/// taken.
template <class T> void keep_rest(const Node& node, T& value) {
    value.rest.line = node.line;
    for (const auto& a : node.attributes)
        if (a.ns.empty() && a.name.find(':') == std::string::npos && !takes(value, a.name, nullptr))
            value.rest.attributes.push_back(a);
    for (const auto& c : node.children)
        if (c.kind == Node::Kind::element && c.ns.empty() && c.name.find(':') == std::string::npos &&
            !takes(value, c.name, &c))
            value.rest.children.push_back(c);
}

template <class T> Result<T> parse(const Node& node, Flavour flavour) {
    static_assert(
        requires(T t) { t.rest; },
        "a struct that is an element keeps what it does not model: add xml::Rest rest{}");
    T out{};
    TRY(parse_fields(node, out, flavour));
    keep_rest(node, out);
    return out;
}

// ---- writing -----------------------------------------------------------------------------

template <class T, class M> void format_field(const Attr<T, M>& f, const T& v, Node& n, const Style&) {
    if constexpr (is_optional<M>) {
        if (v.*f.member) n.attributes.push_back({f.name, printed(*(v.*f.member))});
    } else
        n.attributes.push_back({f.name, printed(v.*f.member)});
}
template <class T, class M> void format_field(const Content<T, M>& f, const T& v, Node& n, const Style&) {
    if constexpr (is_optional<M>) {
        if (v.*f.member) n.text = printed(*(v.*f.member));
    } else
        n.text = printed(v.*f.member);
}
template <class T> void format_field(const Size<T>& f, const T& v, Node& n, const Style&) {
    n.attributes.push_back({"unit", "KiB"});
    n.text = printed(v.*f.member);
}
template <class T, class M> void format_field(const SizeAttr<T, M>& f, const T& v, Node& n, const Style& s) {
    if constexpr (is_optional<M>) {
        if (!(v.*f.member)) return;
    }
    format_field(Attr<T, M>{f.name, f.member}, v, n, s);
    n.attributes.push_back({"unit", "KiB"});
}
template <class T, class M> void format_field(const Leaf<T, M>& f, const T& v, Node& n, const Style&) {
    if constexpr (is_optional<M>) {
        if (v.*f.member) n.add(f.name).text = printed(*(v.*f.member));
    } else if constexpr (is_vector<M>) {
        for (const auto& item : v.*f.member) n.add(f.name).text = printed(item);
    } else
        n.add(f.name).text = printed(v.*f.member);
}
template <class T> void format_field(const Flag<T>& f, const T& v, Node& n, const Style&) {
    if (v.*f.member) n.add(f.name);
}
template <class T, class M> void format_field(const Child<T, M>& f, const T& v, Node& n, const Style& s) {
    if constexpr (is_optional<M>) {
        if (v.*f.member) format_into(*(v.*f.member), n.add(f.name), s);
    } else if constexpr (is_vector<M>) {
        for (const auto& item : v.*f.member) format_into(item, n.add(f.name), s);
    } else
        format_into(v.*f.member, n.add(f.name), s);
}
template <class T, class M> void format_field(const Embed<T, M>& f, const T& v, Node& n, const Style& s) {
    format_into(v.*f.member, n, s);
}
template <class... A, class V, std::size_t N> void format_choice(const std::array<const char*, N>& tags,
                                                                 const V& value, const char* key, Node& n,
                                                                 const Style& s) {
    std::size_t i = 0;
    auto write = [&]<class B>(const B* b) {
        if (b) {
            n.attributes.push_back({key, tags[i]});
            if constexpr (!std::is_same_v<B, std::monostate>) format_into(*b, n, s);
        }
        ++i;
    };
    (write(std::get_if<A>(&value)), ...);
}
template <class T, class V, class... A>
void format_field(const OneOf<T, V, A...>& f, const T& v, Node& n, const Style& s) {
    if constexpr (std::is_same_v<std::variant_alternative_t<0, V>, std::monostate>)
        if ((v.*f.member).index() == 0) return;
    format_choice<A...>(f.tags, v.*f.member, f.key, n.add(f.name), s);
}
template <class T, class V, class... A>
void format_field(const ByAttr<T, V, A...>& f, const T& v, Node& n, const Style& s) {
    format_choice<A...>(f.tags, v.*f.member, f.key, n, s);
}
template <class T> void format_field(const Special<T>& f, const T& v, Node& n, const Style& s) {
    f.format(v, n, s);
}
template <class F, class T> void format_field(const Live<F>& f, const T& v, Node& n, const Style& s) {
    if (s.flavour != Flavour::inactive) format_field(f.field, v, n, s);
}
template <class F, class T> void format_field(const Secret<F>& f, const T& v, Node& n, const Style& s) {
    if (s.secure) format_field(f.field, v, n, s);
}
template <class T> void format_into(const T& value, Node& node, const Style& style) {
    fields<T>([&](const auto&... f) { (format_field(f, value, node, style), ...); });
    if constexpr (requires { value.rest; }) {
        for (const auto& a : value.rest.attributes) node.attributes.push_back(a);
        for (const auto& c : value.rest.children) node.children.push_back(c);
    }
}
template <class T> Node formatted(const T& value, std::string name, const Style& style = {}) {
    Node node{.name = std::move(name)};
    format_into(value, node, style);
    return node;
}

// ---- what is kept but not understood --------------------------------------------------------

/// The entries of one element's rest.
void report(const Rest& rest, std::string_view element, std::vector<Unmodelled>& out);

template <class M> void unmodelled_member(const M& m, std::string_view name, std::vector<Unmodelled>& out) {
    if constexpr (is_optional<M>) {
        if (m) unmodelled_member(*m, name, out);
    } else if constexpr (is_vector<M>) {
        for (const auto& item : m) unmodelled_member(item, name, out);
    } else
        unmodelled(m, name, out);
}
template <class F, class T>
void unmodelled_field(const F&, const T&, std::string_view, std::vector<Unmodelled>&) {}
template <class T, class M>
void unmodelled_field(const Child<T, M>& f, const T& v, std::string_view, std::vector<Unmodelled>& out) {
    unmodelled_member(v.*f.member, f.name, out);
}
template <class T, class M>
void unmodelled_field(const Embed<T, M>& f, const T& v, std::string_view e, std::vector<Unmodelled>& out) {
    unmodelled_member(v.*f.member, e, out);
}
template <class T, class V, class... A> void
unmodelled_field(const OneOf<T, V, A...>& f, const T& v, std::string_view, std::vector<Unmodelled>& out) {
    std::visit(
        [&]<class B>(const B& b) {
            if constexpr (!std::is_same_v<B, std::monostate>) unmodelled(b, f.name, out);
        },
        v.*f.member);
}
template <class T, class V, class... A> void
unmodelled_field(const ByAttr<T, V, A...>& f, const T& v, std::string_view e, std::vector<Unmodelled>& out) {
    std::visit(
        [&]<class B>(const B& b) {
            if constexpr (!std::is_same_v<B, std::monostate>) unmodelled(b, e, out);
        },
        v.*f.member);
}
template <class F, class T>
void unmodelled_field(const Live<F>& f, const T& v, std::string_view e, std::vector<Unmodelled>& out) {
    unmodelled_field(f.field, v, e, out);
}
template <class F, class T>
void unmodelled_field(const Secret<F>& f, const T& v, std::string_view e, std::vector<Unmodelled>& out) {
    unmodelled_field(f.field, v, e, out);
}

/// Appends everything below `value` (an element called `element`) that is kept but not modelled.
template <class T> void unmodelled(const T& value, std::string_view element, std::vector<Unmodelled>& out) {
    if constexpr (requires { value.rest; }) report(value.rest, element, out);
    fields<T>([&](const auto&... f) { (unmodelled_field(f, value, element, out), ...); });
}

} // namespace cloister::xml
