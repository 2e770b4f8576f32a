/// QMP on the wire: bytes to JSON lines to messages, and commands to bytes. Pure and bounded.
/// Source: QEMU's docs/interop/qmp-spec.txt (7.2).
#pragma once

#include "conf/base/result.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace cloister::qmp {

/// Cuts a stream of bytes into lines, whatever the pieces it comes in.
class LineReader {
public:
    /// The longest line, without its end; a longer one ends the conversation.
    static constexpr std::size_t longest = 10 * 1024 * 1024;

    /// Takes the next bytes. Errors: internal when a line would be longer than `longest`; after that the
    /// reader is of no more use.
    Result<> feed(std::string_view bytes);
    /// The next complete line without "\r\n"; empty lines are skipped. nullopt: more bytes are needed.
    std::optional<std::string> next();

private:
    std::string held_{};
    std::size_t begin_ = 0;   ///< of the first line not given out
    std::size_t scanned_ = 0; ///< no line ends before this
};

/// What QEMU says first.
struct Greeting {
    std::uint32_t version = 0; ///< major*1000000 + minor*1000 + micro
    std::string package{};
    bool operator==(const Greeting&) const = default;
};
/// The answer to command `id`.
struct Reply {
    std::uint64_t id = 0;
    boost::json::value value{};
    bool operator==(const Reply&) const = default;
};
/// The refusal of command `id`; without an id QEMU could not read the command.
struct Refusal {
    std::optional<std::uint64_t> id{};
    std::string error_class{}; ///< "GenericError", "DeviceNotFound", "CommandNotFound" …
    std::string description{};
    bool operator==(const Refusal&) const = default;
};
/// When QEMU says that something happened.
struct EventTime {
    std::int64_t seconds = 0; ///< since the epoch
    std::uint32_t micros = 0;
    bool operator==(const EventTime&) const = default;
};
struct RawEvent {
    std::string name{};
    boost::json::object data{};
    EventTime at{};
    bool operator==(const RawEvent&) const = default;
};
using Message = std::variant<Greeting, Reply, Refusal, RawEvent>;

/// One line as a message. Errors: internal when it is not JSON, nests deeper than 64, or is none of the four.
Result<Message> decoded(std::string_view line);

/// A command as it is sent, with its end of line. No spaces: QEMU reads its monitor byte by byte.
std::string printed(std::string_view command, const boost::json::object& arguments, std::uint64_t id);

} // namespace cloister::qmp
