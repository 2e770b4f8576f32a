/// One configuration key: its name, its member, its range and its explanation in one line of a table. The
/// table makes the parser, the shipped commented file and the manual page.
#pragma once

#include "conf/text/keyfile.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cloister::settings {

/// How far a key acts in this daemon.
enum class Effect { acts, none_yet };

/// What the file writes for a key; messages, manuals and the tests of wrong values go by it.
enum class Type { zero_or_one, integer, text, list };

/// What a string, or each item of a list, must look like.
enum class Form {
    any,
    filled,        ///< not empty
    path,          ///< absolute
    path_or_none,  ///< absolute, or empty
    uuid,          ///< as libvirt reads one
    octal_mode,    ///< "0770"
    far_address,   ///< a name or an address that other hosts can reach: not localhost
    firmware_pair, ///< "CODE:VARS", two absolute paths
};

/// What a value may be, besides its type.
struct Range {
    std::uint64_t least = 0;
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    std::string_view
        choices{}; ///< of a string, or of the items of a list: words with single blanks; empty: anything
    bool bare_string = false;   ///< a list key that takes a single string too
    std::string_view word{};    ///< an integer key that takes this word too, meaning UINT64_MAX
    bool signed_number = false; ///< an integer key that takes -1, too
    Form form = Form::any;
};

/// What the readers below say: the detail of an error, without file and line; empty: taken.
using Complaint = std::string;

template <class Conf> struct Key {
    std::string_view name{};
    Range range{};
    std::string_view help{}; ///< sentences; \n keeps a line
    Effect effect = Effect::acts;
    Type type = Type::text;
    Complaint (*read)(const keyfile::Value&, const Range&, Conf&) = nullptr;
    std::string (*print)(const Conf&) = nullptr; ///< the value as the file writes it; empty: no default
};

Complaint read_value(const keyfile::Value&, const Range&, bool&);
Complaint read_value(const keyfile::Value&, const Range&, int&);
Complaint read_value(const keyfile::Value&, const Range&, unsigned&);
Complaint read_value(const keyfile::Value&, const Range&, std::uint64_t&);
Complaint read_value(const keyfile::Value&, const Range&, std::string&);
Complaint read_value(const keyfile::Value&, const Range&, std::vector<std::string>&);
template <class T>
Complaint read_value(const keyfile::Value& value, const Range& range, std::optional<T>& out) {
    return read_value(value, range, out.emplace());
}
std::string print_value(bool);
std::string print_value(int);
std::string print_value(unsigned);
std::string print_value(std::uint64_t);
std::string print_value(const std::string&);
std::string print_value(const std::vector<std::string>&);
template <class T> std::string print_value(const std::optional<T>& value) {
    return value ? print_value(*value) : std::string{};
}

template <class M> constexpr Type type_of(const M*) {
    if (std::is_same_v<M, bool>) return Type::zero_or_one;
    if (std::is_integral_v<M>) return Type::integer;
    return std::is_same_v<M, std::string> ? Type::text : Type::list;
}
template <class M> constexpr Type type_of(const std::optional<M>*) {
    return type_of(static_cast<const M*>(nullptr));
}
/// "a quoted string", "0 or 1": what a key of this type and range takes, for messages and manuals.
std::string allowed(Type type, const Range& range);

template <class M> struct MemberOf;
template <class C, class M> struct MemberOf<M C::*> {
    using Conf = C;
    using Value = M;
};

/// The line of a table: key<&QemuConf::user>("user", {}, "The user …").
template <auto Member>
constexpr auto key(std::string_view name, Range range, std::string_view help, Effect effect = Effect::acts) {
    using Conf = typename MemberOf<decltype(Member)>::Conf;
    return Key<Conf>{
        name,
        range,
        help,
        effect,
        type_of(static_cast<const typename MemberOf<decltype(Member)>::Value*>(nullptr)),
        [](const keyfile::Value& v, const Range& r, Conf& c) { return read_value(v, r, c.*Member); },
        [](const Conf& c) { return print_value(c.*Member); }};
}

/// The known name nearest to `name` (edit distance at most a third of its length); empty: none is near.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& known);

} // namespace cloister::settings
