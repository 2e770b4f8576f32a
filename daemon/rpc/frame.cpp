#include "daemon/rpc/frame.hpp"

#include "conf/base/tr.hpp"

namespace cloister::rpc {
namespace {

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at) {
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 4; ++i) n = n << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
    return n;
}

void append_number(Bytes& out, std::uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(n >> shift & 0xff));
}

bool has_files(MessageType type) {
    return type == MessageType::call_with_files || type == MessageType::reply_with_files;
}

} // namespace

void Framer::feed(std::span<const std::byte> bytes) {
    if (start_ > 0 && start_ == bytes_.size()) {
        bytes_.clear();
        start_ = 0;
    } else if (start_ > 65'536) {
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(start_));
        start_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>> Framer::next() {
    const auto rest = std::span<const std::byte>(bytes_).subspan(start_);
    if (rest.size() < length_size) return std::optional<Frame>();
    const std::size_t length = number_at(rest, 0);
    if (length < length_size + header_size || length > length_size + header_size + max_body)
        return fail(Code::rpc, tr("a message of {0} bytes is outside the limits", length));
    if (rest.size() < length_size + header_size) return std::optional<Frame>();

    Frame frame;
    frame.header = {.program = number_at(rest, 4),
                    .version = number_at(rest, 8),
                    .procedure = static_cast<std::int32_t>(number_at(rest, 12)),
                    .type = static_cast<MessageType>(static_cast<std::int32_t>(number_at(rest, 16))),
                    .serial = number_at(rest, 20),
                    .status = static_cast<MessageStatus>(static_cast<std::int32_t>(number_at(rest, 24)))};
    std::size_t body_at = length_size + header_size;
    if (has_files(frame.header.type)) {
        if (length < body_at + 4)
            return fail(Code::rpc, tr("a message with descriptors does not say how many"));
        if (rest.size() < body_at + 4) return std::optional<Frame>();
        frame.files = number_at(rest, body_at);
        if (frame.files > max_files)
            return fail(Code::rpc, tr("a message with {0} descriptors: at most {1} are allowed", frame.files,
                                      max_files));
        body_at += 4;
    }
    if (rest.size() < length + frame.files) return std::optional<Frame>();
    const auto body = rest.subspan(body_at, length - body_at);
    frame.body.assign(body.begin(), body.end());
    start_ += length + frame.files;
    return std::optional<Frame>(std::move(frame));
}

Bytes printed(const Header& header, std::span<const std::byte> body, std::uint32_t files) {
    const bool counted = has_files(header.type);
    const std::size_t length = length_size + header_size + (counted ? 4 : 0) + body.size();
    Bytes out;
    out.reserve(length);
    append_number(out, static_cast<std::uint32_t>(length));
    append_number(out, header.program);
    append_number(out, header.version);
    append_number(out, static_cast<std::uint32_t>(header.procedure));
    append_number(out, static_cast<std::uint32_t>(header.type));
    append_number(out, header.serial);
    append_number(out, static_cast<std::uint32_t>(header.status));
    if (counted) append_number(out, files);
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

} // namespace cloister::rpc
