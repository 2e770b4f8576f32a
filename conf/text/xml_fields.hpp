/// What a struct says of its XML: one table of fields. What is done with it: xml_codec.hpp.
///
///     struct Rate { std::uint32_t bytes = 0; std::optional<std::uint32_t> period_ms{}; xml::Rest rest{}; …
///     }; template <> inline constexpr auto fields<Rate> = xml::table(
///         xml::attr("bytes", &Rate::bytes), xml::attr("period", &Rate::period_ms));
///
/// The order of the table is the order of printing. std::optional members may be absent, and absence is kept:
/// defaults are a later, pure pass. What no field takes is kept in `rest`, printed again after the fields,
/// and reported by unmodelled(): nothing a user wrote is lost. Elements and attributes of a foreign namespace
/// are dropped, as libvirt drops them (a special() field may take them first); so are names with a prefix
/// that nothing declares.
#pragma once

#include "conf/text/scalar.hpp"
#include "conf/text/xml_node.hpp"

#include <array>
#include <variant>

namespace cloister {
/// Specialise with the fields of T, in the order they are written.
template <class T> inline constexpr auto fields = nullptr;
} // namespace cloister

namespace cloister::xml {

/// What a document is: the stored definition, what a running guest really has, or the daemon's own state
/// file.
enum class Flavour { inactive, live, status };

/// How to print.
struct Style {
    Flavour flavour = Flavour::inactive;
    bool secure = false;     ///< passwords too (VIR_DOMAIN_XML_SECURE)
    bool migratable = false; ///< without what older readers would not understand (VIR_DOMAIN_XML_MIGRATABLE)
};

/// What the document said and our structs do not hold.
struct Rest {
    std::vector<Attribute> attributes{};
    std::vector<Node> children{};
    int line = 0; ///< of the element the attributes belong to
    bool empty() const { return attributes.empty() && children.empty(); }
    bool operator==(const Rest& o) const { return attributes == o.attributes && children == o.children; }
};

/// One thing that is kept but not understood: "attribute 'x' of <disk>" or "<x> in <disk>", and its line.
struct Unmodelled {
    std::string what{};
    int line = 0;
    bool operator==(const Unmodelled&) const = default;
};

// ---- the kinds of field ----------------------------------------------------------------

/// An attribute: scalar or std::optional of one.
template <class T, class M> struct Attr {
    const char* name;
    M T::* member;
};
/// The character data of the element itself.
template <class T, class M> struct Content {
    M T::* member;
};
/// The character data is a number, scaled by the attribute `unit` (KiB when absent). Held and printed in KiB.
template <class T> struct Size {
    std::uint64_t T::* member;
};
/// An attribute that is a number, scaled by the attribute `unit`, the same way.
template <class T, class M> struct SizeAttr {
    const char* name;
    M T::* member;
};
/// <name>scalar</name>: scalar, std::optional of one, or std::vector of them. Not taken when it has
/// attributes.
template <class T, class M> struct Leaf {
    const char* name;
    M T::* member;
};
/// <name/>: present or not.
template <class T> struct Flag {
    const char* name;
    bool T::* member;
};
/// A child element: a struct with fields, std::optional of one, or std::vector of them.
template <class T, class M> struct Child {
    const char* name;
    M T::* member;
};
/// The fields of a member struct, in this same element.
template <class T, class M> struct Embed {
    M T::* member;
};
/// One alternative of a variant and the text that chooses it.
template <class A> struct Alt {
    const char* tag;
};
/// A child element whose attribute `key` chooses the alternative of a std::variant.
template <class T, class V, class... A> struct OneOf {
    const char* name;
    const char* key;
    V T::* member;
    std::array<const char*, sizeof...(A)> tags; ///< of the alternatives A, in their order
};
/// A variant chosen by this element's own attribute `key`, its alternatives' fields in this same element.
template <class T, class V, class... A> struct ByAttr {
    const char* key;
    V T::* member;
    std::array<const char*, sizeof...(A)> tags; ///< of the alternatives A, in their order
};
/// Anything else. `takes` says which child or attribute belongs to it (attribute: child is null).
template <class T> struct Special {
    bool (*takes)(std::string_view name, const Node* child);
    Result<> (*parse)(const Node&, T&, Flavour);
    void (*format)(const T&, Node&, const Style&);
};
/// A field of running guests only: not read from, nor written to, an inactive document.
template <class F> struct Live {
    F field;
};
/// A field that is printed only on request (passwords).
template <class F> struct Secret {
    F field;
};

template <class T, class M> constexpr auto attr(const char* n, M T::* m) { return Attr<T, M>{n, m}; }
template <class T, class M> constexpr auto content(M T::* m) { return Content<T, M>{m}; }
template <class T> constexpr auto size(std::uint64_t T::* m) { return Size<T>{m}; }
template <class T, class M> constexpr auto size_attr(const char* n, M T::* m) { return SizeAttr<T, M>{n, m}; }
template <class T, class M> constexpr auto leaf(const char* n, M T::* m) { return Leaf<T, M>{n, m}; }
template <class T> constexpr auto flag(const char* n, bool T::* m) { return Flag<T>{n, m}; }
template <class T, class M> constexpr auto child(const char* n, M T::* m) { return Child<T, M>{n, m}; }
template <class T, class M> constexpr auto embed(M T::* m) { return Embed<T, M>{m}; }
template <class A> constexpr auto alt(const char* tag) { return Alt<A>{tag}; }
template <class T, class V, class... A>
constexpr auto one_of(const char* n, const char* key, V T::* m, Alt<A>... a) {
    return OneOf<T, V, A...>{n, key, m, {a.tag...}};
}
template <class T, class V, class... A> constexpr auto by_attr(const char* key, V T::* m, Alt<A>... a) {
    return ByAttr<T, V, A...>{key, m, {a.tag...}};
}
template <class T> constexpr auto special(bool (*takes)(std::string_view, const Node*),
                                          Result<> (*parse)(const Node&, T&, Flavour),
                                          void (*format)(const T&, Node&, const Style&)) {
    return Special<T>{takes, parse, format};
}
/// The fields of one struct, in the order they are written: a function that calls its argument with all of
/// them. (A std::tuple does the same, but 30 fields cost every source that sees them a tenth of a second.)
template <class... F> constexpr auto table(F... f) {
    return [... f = f](auto&& use) -> decltype(auto) { return use(f...); };
}
template <class F> constexpr auto live(F f) { return Live<F>{f}; }
template <class F> constexpr auto secret(F f) { return Secret<F>{f}; }

} // namespace cloister::xml
