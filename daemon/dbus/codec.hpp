/// D-Bus values for plain C++ ones: the signature of a type, reading and writing it. What a call's arguments
/// and results are made of (conf/call) is known here; the rest are vectors, tuples and aggregates.
#pragma once

#include "conf/base/result.hpp"
#include "conf/call/common.hpp"
#include "daemon/dbus/message.hpp"
#include "daemon/dbus/paths.hpp"

#include <boost/pfr.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cloister::dbus {

/// Reads the arguments of a message, in order. After the first fault everything reads as nothing.
class Reader {
public:
    explicit Reader(Message message) : message_(std::move(message)) {}
    /// Empty: all is well. Otherwise a sentence about the first fault.
    const std::string& complaint() const { return complaint_; }
    void spoil(std::string why);

    void basic(char type, void* out);
    std::string text(char type);
    bool enter(char type, const std::string& contents);
    void leave();
    /// Whether the surrounding container has another value.
    bool more();
    /// The signature inside the variant that comes next.
    std::string variant();

private:
    Message message_;
    std::string complaint_{};
};

/// Appends to a message.
class Writer {
public:
    explicit Writer(Message message) : message_(std::move(message)) {}
    void basic(char type, const void* value);
    void text(char type, const std::string& value);
    void open(char type, const std::string& contents);
    void close();
    /// Errors: internal for what D-Bus cannot carry, such as text that is not UTF-8.
    Result<> done() const;

private:
    Message message_;
    int failed_ = 0;
};

/// One type: its signature, and both ways. The primary template is for aggregates: a struct of their members.
template <class T> struct Codec {
    static std::string members() {
        std::string out;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((out += Codec<boost::pfr::tuple_element_t<I, T>>::signature()), ...);
        }(std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
        return out;
    }
    static std::string signature() { return "(" + members() + ")"; }
    static void read(Reader& from, T& out) {
        if (!from.enter('r', members())) return;
        boost::pfr::for_each_field(out, [&]<class F>(F& field) { Codec<F>::read(from, field); });
        from.leave();
    }
    static void write(Writer& to, const T& in) {
        to.open('r', members());
        boost::pfr::for_each_field(in, [&]<class F>(const F& field) { Codec<F>::write(to, field); });
        to.close();
    }
};
template <class T> std::string signature() { return Codec<T>::signature(); }
template <class T> void read(Reader& from, T& out) { Codec<T>::read(from, out); }
template <class T> void write(Writer& to, const T& in) { Codec<T>::write(to, in); }

template <char Letter, class T> struct BasicCodec {
    static std::string signature() { return std::string(1, Letter); }
    static void read(Reader& from, T& out) { from.basic(Letter, &out); }
    static void write(Writer& to, const T& in) { to.basic(Letter, &in); }
};
template <> struct Codec<std::uint8_t> : BasicCodec<'y', std::uint8_t> {};
template <> struct Codec<std::int32_t> : BasicCodec<'i', std::int32_t> {};
template <> struct Codec<std::uint32_t> : BasicCodec<'u', std::uint32_t> {};
template <> struct Codec<std::int64_t> : BasicCodec<'x', std::int64_t> {};
template <> struct Codec<std::uint64_t> : BasicCodec<'t', std::uint64_t> {};
template <> struct Codec<double> : BasicCodec<'d', double> {};
template <> struct Codec<bool> {
    static std::string signature() { return "b"; }
    static void read(Reader& from, bool& out) {
        int value = 0;
        from.basic('b', &value);
        out = value != 0;
    }
    static void write(Writer& to, bool in) {
        const int value = in ? 1 : 0;
        to.basic('b', &value);
    }
};

/// Text in its various forms: Get finds the string in a value.
template <class T, char Letter = 's'> struct TextCodec {
    static std::string signature() { return std::string(1, Letter); }
    static void read(Reader& from, T& out) { out.value = from.text(Letter); }
    static void write(Writer& to, const T& in) { to.text(Letter, in.value.substr(0, in.value.find('\0'))); }
};
template <> struct Codec<std::string> {
    static std::string signature() { return "s"; }
    static void read(Reader& from, std::string& out) { out = from.text('s'); }
    static void write(Writer& to, const std::string& in) { to.text('s', in); }
};
template <> struct Codec<ObjectPath> : TextCodec<ObjectPath, 'o'> {};
template <std::size_t Max> struct Codec<Text<Max>> : TextCodec<Text<Max>> {};
template <std::size_t Max> struct Codec<call::Chars<Max>> : TextCodec<call::Chars<Max>> {};
template <std::size_t Max> struct Codec<call::FixedChars<Max>> : TextCodec<call::FixedChars<Max>> {};
/// An empty string stands for none: D-Bus has no other way to say it.
template <std::size_t Max> struct Codec<std::optional<Text<Max>>> {
    static std::string signature() { return "s"; }
    static void read(Reader& from, std::optional<Text<Max>>& out) {
        if (auto text = from.text('s'); !text.empty()) out = Text<Max>{std::move(text)};
    }
    static void write(Writer& to, const std::optional<Text<Max>>& in) { to.text('s', in ? in->value : ""); }
};

/// A domain is an object.
template <> struct Codec<call::DomainHandle> {
    static std::string signature() { return "o"; }
    static void write(Writer& to, const call::DomainHandle& in) { to.text('o', domain_path(Uuid{in.uuid})); }
};
template <> struct Codec<call::ParamValue> {
    static std::string signature() { return "v"; }
    static void read(Reader& from, call::ParamValue& out);
    static void write(Writer& to, const call::ParamValue& in);
};

template <class T> struct Codec<std::vector<T>> {
    static std::string signature() { return "a" + Codec<T>::signature(); }
    static void read(Reader& from, std::vector<T>& out) {
        if (!from.enter('a', Codec<T>::signature())) return;
        while (from.more()) {
            T item{}; // not emplace_back(): there are no references into a vector<bool>
            Codec<T>::read(from, item);
            out.push_back(std::move(item));
        }
        from.leave();
    }
    static void write(Writer& to, const std::vector<T>& in) {
        to.open('a', Codec<T>::signature());
        for (const auto& item : in) Codec<T>::write(to, item);
        to.close();
    }
};
template <class T, std::size_t Max> struct Codec<List<T, Max>> {
    static std::string signature() { return Codec<std::vector<T>>::signature(); }
    static void read(Reader& from, List<T, Max>& out) { Codec<std::vector<T>>::read(from, out.items); }
    static void write(Writer& to, const List<T, Max>& in) { Codec<std::vector<T>>::write(to, in.items); }
};
template <std::size_t Max> struct Codec<call::Opaque<Max>> : Codec<std::vector<std::uint8_t>> {
    static void write(Writer& to, const call::Opaque<Max>& in) {
        Codec<std::vector<std::uint8_t>>::write(to, in.value);
    }
};

/// 'a{KV}' of a list of pairs.
template <class K, class V> struct Codec<std::vector<std::pair<K, V>>> {
    static std::string pair() { return Codec<K>::signature() + Codec<V>::signature(); }
    static std::string signature() { return "a{" + pair() + "}"; }
    static void read(Reader& from, std::vector<std::pair<K, V>>& out) {
        if (!from.enter('a', "{" + pair() + "}")) return;
        while (from.more() && from.enter('e', pair())) {
            auto& [key, value] = out.emplace_back();
            Codec<K>::read(from, key);
            Codec<V>::read(from, value);
            from.leave();
        }
        from.leave();
    }
    static void write(Writer& to, const std::vector<std::pair<K, V>>& in) {
        to.open('a', "{" + pair() + "}");
        for (const auto& [key, value] : in) {
            to.open('e', pair());
            Codec<K>::write(to, key);
            Codec<V>::write(to, value);
            to.close();
        }
        to.close();
    }
};
/// Typed parameters: 'a{sv}', as everywhere on D-Bus.
using NamedValues = std::vector<std::pair<std::string, call::ParamValue>>;
template <std::size_t Max> struct Codec<List<call::TypedParam, Max>> {
    static std::string signature() { return "a{sv}"; }
    static void read(Reader& from, List<call::TypedParam, Max>& out) {
        NamedValues all;
        Codec<NamedValues>::read(from, all);
        for (auto& [name, value] : all) out.items.push_back({{std::move(name)}, std::move(value)});
    }
    static void write(Writer& to, const List<call::TypedParam, Max>& in) {
        NamedValues all;
        for (const auto& [name, value] : in.items) all.emplace_back(name.value, value);
        Codec<NamedValues>::write(to, all);
    }
};

template <class... T> struct Codec<std::tuple<T...>> {
    static std::string members() { return (Codec<T>::signature() + ... + std::string()); }
    static std::string signature() { return "(" + members() + ")"; }
    static void write(Writer& to, const std::tuple<T...>& in) {
        to.open('r', members());
        std::apply([&](const auto&... member) { (Codec<T>::write(to, member), ...); }, in);
        to.close();
    }
};

} // namespace cloister::dbus
