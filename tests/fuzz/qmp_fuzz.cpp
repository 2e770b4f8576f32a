/// The monitor's reader: whatever QEMU sends, in whatever pieces, it reads the same and nothing but messages.
#include "driver/qmp/events.hpp"
#include "driver/qmp/wire.hpp"

#include <cstdlib>
#include <vector>

using namespace cloister;

namespace {

/// Everything up to the first error, in pieces of at most `piece` bytes.
std::vector<std::string> lines(std::string_view bytes, std::size_t piece) {
    qmp::LineReader reader;
    std::vector<std::string> out;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        if (!reader.feed(bytes.substr(0, piece))) break;
        while (auto line = reader.next()) out.push_back(*std::move(line));
    }
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto whole = lines(bytes, size + 1);
    if (whole != lines(bytes, 1) || whole != lines(bytes, 7)) std::abort();
    for (const auto& line : whole) {
        if (line.empty() || line.find('\n') != std::string::npos) std::abort();
        const auto message = qmp::decoded(line);
        if (!message) continue;
        if (const auto* event = std::get_if<qmp::RawEvent>(&*message)) {
            (void)qmp::event_of(event->name, event->data);
            // What was read as arguments is printed as one line that reads as JSON again.
            const auto printed = qmp::printed(event->name, event->data, 1);
            if (printed.find('\n') != printed.size() - 1) std::abort();
        }
    }
    return 0;
}
