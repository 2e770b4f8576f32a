#include "daemon/rpc/xdr.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"

#include <arpa/inet.h>
#include <array>
#include <bit>

namespace cloister::xdr {

std::uint32_t Reader::word() {
    const auto raw = packed(4);
    std::uint32_t n = 0;
    for (auto b : raw) n = n << 8 | std::to_integer<std::uint32_t>(b);
    return n;
}

std::uint64_t Reader::wide() {
    const std::uint64_t high = word();
    return high << 32 | word();
}

std::span<const std::byte> Reader::packed(std::size_t size) {
    const auto padding = (4 - size % 4) % 4;
    if (!ok_ || size > rest_.size() || padding > rest_.size() - size) {
        ok_ = false;
        return {};
    }
    const auto head = rest_.first(size);
    rest_ = rest_.subspan(size + padding);
    return head;
}

std::size_t Reader::count(std::size_t most) {
    const auto n = word();
    if (n <= most) return n;
    ok_ = false;
    return 0;
}

std::string Reader::text(std::size_t most) {
    const auto raw = packed(count(most));
    std::string out(reinterpret_cast<const char*>(raw.data()), raw.size());
    if (out.find('\0') != std::string::npos) ok_ = false;
    return out;
}

std::string Reader::chars(std::size_t size) {
    std::string out;
    for (std::size_t i = 0; i < size && ok_; ++i) out.push_back(static_cast<char>(word()));
    return out;
}

void Writer::word(std::uint32_t n) {
    const auto big = std::bit_cast<std::array<std::byte, 4>>(htonl(n));
    bytes_.insert(bytes_.end(), big.begin(), big.end());
}

void Writer::wide(std::uint64_t n) {
    word(static_cast<std::uint32_t>(n >> 32));
    word(static_cast<std::uint32_t>(n));
}

void Writer::packed(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_.resize(bytes_.size() + (4 - bytes.size() % 4) % 4);
}

void Writer::count(std::size_t size, std::size_t most) {
    if (size > most && !over_) over_ = Over{size, most};
    word(static_cast<std::uint32_t>(size));
}

void Writer::text(std::string_view text, std::size_t most) {
    count(text.size(), most);
    packed(std::as_bytes(std::span(text)));
}

void Writer::chars(std::string_view chars) {
    for (char c : chars) word(static_cast<std::uint32_t>(static_cast<std::int32_t>(c)));
}

void read(Reader& from, call::ParamValue& out) {
    switch (from.word()) {
    case 1: out = static_cast<std::int32_t>(from.word()); return;
    case 2: out = from.word(); return;
    case 3: out = static_cast<std::int64_t>(from.wide()); return;
    case 4: out = from.wide(); return;
    case 5: out = std::bit_cast<double>(from.wide()); return;
    case 6: out = from.word() != 0; return;
    case 7: out = from.text(4'194'304); return;
    default: from.spoil();
    }
}

void write(Writer& to, const call::ParamValue& in) {
    to.word(static_cast<std::uint32_t>(in.index()) + 1);
    std::visit(overload{[&](std::int32_t v) { to.word(static_cast<std::uint32_t>(v)); },
                        [&](std::uint32_t v) { to.word(v); },
                        [&](std::int64_t v) { to.wide(static_cast<std::uint64_t>(v)); },
                        [&](std::uint64_t v) { to.wide(v); },
                        [&](double v) { to.wide(std::bit_cast<std::uint64_t>(v)); },
                        [&](bool v) { to.word(v ? 1 : 0); },
                        [&](const std::string& v) { to.text(v, 4'194'304); }},
               in);
}

Error undecodable() {
    return {.code = Code::rpc, .message = tr("Unable to decode message payload"), .domain = ErrorDomain::rpc};
}

Error unencodable(const Writer::Over& over) {
    return {.code = Code::rpc,
            .message = tr("the answer has {0} elements where the protocol allows {1}", over.size, over.most),
            .domain = ErrorDomain::rpc};
}

} // namespace cloister::xdr
