/// Fuzzes the cutting of a byte stream into frames: what comes out goes back in, and chunks make no
/// difference.
#include "daemon/rpc/frame.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace cloister::rpc;

/// Every frame of the bytes, fed in chunks; stops at the first fault.
std::vector<Frame> frames(std::span<const std::byte> bytes, std::size_t chunk) {
    Framer framer;
    std::vector<Frame> out;
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(chunk, bytes.size()));
        bytes = bytes.subspan(part.size());
        framer.feed(part);
        while (true) {
            auto next = framer.next();
            if (!next) return out;
            if (!*next) break;
            out.push_back(**std::move(next));
        }
    }
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto whole = frames(bytes, std::max<std::size_t>(size, 1));
    if (frames(bytes, 1) != whole || frames(bytes, 7) != whole) std::abort();
    Bytes again;
    for (const auto& frame : whole) {
        const auto printed = cloister::rpc::printed(frame.header, frame.body, frame.files);
        again.insert(again.end(), printed.begin(), printed.end());
        again.resize(again.size() + frame.files); // the descriptors' bytes, whatever they were
    }
    if (frames(again, std::max<std::size_t>(again.size(), 1)) != whole) std::abort();
    return 0;
}
