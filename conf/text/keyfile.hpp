/// The grammar of qemu.conf and cloisterd.conf: `name = value` lines, values being strings, integers and
/// lists. Source: facts/behaviour.md C.1 (libvirt's virconf), except that numbers that overflow are refused.
#pragma once

#include "conf/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cloister::keyfile {

/// A number keeps its sign apart: "-0" and "+5" are legal, and unsigned values reach 2^64-1.
struct Number {
    std::uint64_t magnitude = 0;
    bool negative = false;
    bool operator==(const Number&) const = default;
};
struct Value;
using List = std::vector<Value>;
struct Value {
    std::variant<std::string, Number, List> what{};
    int line = 0;
    bool operator==(const Value& o) const;
};
struct Entry {
    std::string name{};
    Value value{};
    int line = 0;
    bool operator==(const Entry&) const = default;
};

/// At most this many bytes are read.
inline constexpr std::size_t most_bytes = 10u << 20;
/// Lists in lists deeper than this are refused.
inline constexpr int most_depth = 32;

/// All statements in order; a repeated name stays twice (the first one counts, see find()).
/// Errors: Code::conf_syntax, "FILE:LINE: what was expected".
Result<std::vector<Entry>> read(std::string_view text, std::string_view file);

/// The first entry of that name, or null.
const Entry* find(const std::vector<Entry>& entries, std::string_view name);

/// "string", "integer", "list": for messages.
std::string_view kind(const Value& value);

/// The value as it would be written in the file.
std::string print(const Value& value);

} // namespace cloister::keyfile
