/// XDR (RFC 4506) for plain aggregates: the order of the members is the wire format.
#pragma once

#include "conf/base/result.hpp"
#include "conf/call/wire_types.hpp"

#include <bit>
#include <boost/pfr.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace cloister::xdr {

using Bytes = std::vector<std::byte>;

/// Reads from bytes that somebody else owns. After the first fault `ok()` is false and everything reads as
/// zero.
class Reader {
public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
    bool ok() const { return ok_; }
    void spoil() { ok_ = false; }

    std::uint32_t word();
    std::uint64_t wide();
    /// `size` bytes and their padding; the padding may hold anything.
    std::span<const std::byte> packed(std::size_t size);
    /// A count of at most `most`.
    std::size_t count(std::size_t most);
    /// Refuses what a C string cannot carry: an embedded NUL.
    std::string text(std::size_t most);
    std::string chars(std::size_t size);

private:
    std::span<const std::byte> rest_;
    bool ok_ = true;
};

/// Writes to its own bytes. Values over their bound are not written; `over()` tells of the first.
class Writer {
public:
    void word(std::uint32_t n);
    void wide(std::uint64_t n);
    void packed(std::span<const std::byte> bytes);
    void count(std::size_t size, std::size_t most);
    void text(std::string_view text, std::size_t most);
    void chars(std::string_view chars);
    struct Over {
        std::size_t size = 0, most = 0;
    };
    const std::optional<Over>& over() const { return over_; }
    Bytes take() { return std::move(bytes_); }

private:
    Bytes bytes_{};
    std::optional<Over> over_{};
};

template <class T> void read(Reader& from, T& out);
template <class T> void write(Writer& to, const T& in);

/// Types that are not a scalar and not an aggregate of others.
template <std::size_t Max> void read(Reader& from, Text<Max>& out) { out.value = from.text(Max); }
template <std::size_t Max> void write(Writer& to, const Text<Max>& in) { to.text(in.value, Max); }

template <std::size_t Max> void read(Reader& from, call::Opaque<Max>& out) {
    const auto raw = from.packed(from.count(Max));
    out.value.reserve(raw.size());
    for (auto b : raw) out.value.push_back(std::to_integer<std::uint8_t>(b));
}
template <std::size_t Max> void write(Writer& to, const call::Opaque<Max>& in) {
    to.count(in.value.size(), Max);
    to.packed(std::as_bytes(std::span(in.value)));
}

template <std::size_t Size> void read(Reader& from, call::FixedChars<Size>& out) {
    const auto all = from.chars(Size);
    out.value = all.substr(0, all.find('\0'));
}
template <std::size_t Size> void write(Writer& to, const call::FixedChars<Size>& in) {
    auto padded = in.value;
    padded.resize(Size, '\0');
    to.chars(padded);
}

template <std::size_t Max> void read(Reader& from, call::Chars<Max>& out) {
    out.value = from.chars(from.count(Max));
}
template <std::size_t Max> void write(Writer& to, const call::Chars<Max>& in) {
    to.count(in.value.size(), Max);
    to.chars(in.value);
}

/// A fixed opaque: nothing but its bytes.
template <std::size_t Size> void read(Reader& from, std::array<std::uint8_t, Size>& out) {
    const auto raw = from.packed(Size);
    for (std::size_t i = 0; i < raw.size(); ++i) out[i] = std::to_integer<std::uint8_t>(raw[i]);
}
template <std::size_t Size> void write(Writer& to, const std::array<std::uint8_t, Size>& in) {
    to.packed(std::as_bytes(std::span(in)));
}

template <class T, std::size_t Max> void read(Reader& from, List<T, Max>& out) {
    const auto size = from.count(Max);
    for (std::size_t i = 0; i < size && from.ok(); ++i) read(from, out.items.emplace_back());
}
template <class T, std::size_t Max> void write(Writer& to, const List<T, Max>& in) {
    to.count(in.items.size(), Max);
    for (const auto& item : in.items) write(to, item);
}

/// Any nonzero flag means present: go-libvirt sends 0x01000000. Written is exactly 1.
template <class T> void read(Reader& from, std::optional<T>& out) {
    if (from.word() != 0 && from.ok()) read(from, out.emplace());
}
template <class T> void write(Writer& to, const std::optional<T>& in) {
    to.word(in ? 1 : 0);
    if (in) write(to, *in);
}

void read(Reader& from, call::ParamValue& out);
void write(Writer& to, const call::ParamValue& in);

template <class T> void read(Reader& from, T& out) {
    if constexpr (std::is_same_v<T, double>)
        out = std::bit_cast<double>(from.wide());
    else if constexpr (std::is_integral_v<T> && sizeof(T) == 8)
        out = static_cast<T>(from.wide());
    else if constexpr (std::is_integral_v<T>) // the small ones take a whole word, too
        out = static_cast<T>(from.word());
    else
        boost::pfr::for_each_field(out, [&](auto& field) { read(from, field); });
}
template <class T> void write(Writer& to, const T& in) {
    if constexpr (std::is_same_v<T, double>)
        to.wide(std::bit_cast<std::uint64_t>(in));
    else if constexpr (std::is_integral_v<T> && sizeof(T) == 8)
        to.wide(static_cast<std::uint64_t>(in));
    else if constexpr (std::is_integral_v<T>)
        to.word(static_cast<std::uint32_t>(in));
    else
        boost::pfr::for_each_field(in, [&](const auto& field) { write(to, field); });
}

/// The errors of decode and encode, as the reference words them where it has words.
Error undecodable();
Error unencodable(const Writer::Over& over);

/// The first bytes as one T; what follows is ignored, as the reference does.
/// Errors: rpc in domain rpc, "Unable to decode message payload".
template <class T> Result<T> decode(std::span<const std::byte> bytes) {
    T out{};
    Reader reader(bytes);
    read(reader, out);
    if (!reader.ok()) return std::unexpected(undecodable());
    return out;
}
/// Errors: rpc when a string or a list is longer than the protocol allows.
template <class T> Result<Bytes> encode(const T& value) {
    Writer writer;
    write(writer, value);
    if (writer.over()) return std::unexpected(unencodable(*writer.over()));
    return writer.take();
}

} // namespace cloister::xdr
