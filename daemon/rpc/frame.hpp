/// Frames of the wire protocol: a length, a header of 24 bytes, a body. Pure: bytes in, frames out.
/// Source: facts/protocol.md 1 and 8.
#pragma once

#include "conf/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cloister::rpc {

using Bytes = std::vector<std::byte>;

/// Known types; any other number may arrive and is to be dropped.
enum class MessageType : std::int32_t {
    call = 0,
    reply = 1,
    message = 2, ///< an event, or keepalive
    stream = 3,
    call_with_files = 4,
    reply_with_files = 5,
    stream_hole = 6,
};
enum class MessageStatus : std::int32_t { ok = 0, error = 1, more = 2 };

struct Header {
    std::uint32_t program = 0, version = 1;
    std::int32_t procedure = 0;
    MessageType type = MessageType::call;
    std::uint32_t serial = 0; ///< repeated in the reply bit for bit
    MessageStatus status = MessageStatus::ok;
    bool operator==(const Header&) const = default;
};

struct Frame {
    Header header{};
    std::uint32_t files = 0; ///< how many descriptors followed it, each with one byte of its own
    Bytes body{};            ///< XDR; of stream packets the raw bytes
    bool operator==(const Frame&) const = default;
};

inline constexpr std::size_t length_size = 4, header_size = 24;
inline constexpr std::size_t max_body = 33'554'408; ///< with the header 32 MiB
inline constexpr std::uint32_t max_files = 32;
/// The most bytes of a stream in one packet: what old clients take.
inline constexpr std::size_t max_stream_packet = 262'120;

inline constexpr std::uint32_t keepalive_program = 0x6b656570;
inline constexpr std::int32_t keepalive_ping = 1, keepalive_pong = 2;

/// Cuts a byte stream into frames, however the bytes arrive. Memory grows with what has arrived, not with
/// what a length promises. After an error nothing more can be read: the connection is to be closed.
class Framer {
public:
    void feed(std::span<const std::byte> bytes);
    /// The next whole frame; nothing when bytes are missing.
    /// Errors: rpc, a length or a count of descriptors that the protocol forbids.
    Result<std::optional<Frame>> next();
    /// Bytes that wait to become a frame.
    std::size_t buffered() const { return bytes_.size() - start_; }

private:
    Bytes bytes_{};
    std::size_t start_ = 0;
};

/// The bytes of a frame. With `files`, their count precedes the body (only for the types with files); the
/// descriptors are to be sent after it, one byte each. The body must be at most max_body long.
Bytes printed(const Header& header, std::span<const std::byte> body, std::uint32_t files = 0);

} // namespace cloister::rpc
