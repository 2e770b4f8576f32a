/// Fuzzes the decoding of the arguments, results and messages of every procedure: what is decoded encodes,
/// and what was encoded decodes to the same. The first two bytes choose the type.
#include "conf/call/cloister.hpp"
#include "conf/call/every.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "daemon/rpc/xdr.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace cloister;

template <class T> void round_trip(std::span<const std::byte> bytes) {
    const auto value = xdr::decode<T>(bytes);
    if (!value) return;
    const auto written = xdr::encode(*value);
    if (!written) std::abort(); // the bounds are the same both ways
    const auto again = xdr::decode<T>(*written);
    if (!again || xdr::encode(*again).value() != *written)
        std::abort(); // bytes, because a NaN differs from itself
}

using Run = void (*)(std::span<const std::byte>);
template <class... T> constexpr auto runs(call::Types<T...>) {
    return std::array<Run, sizeof...(T) + 4>{&round_trip<T>..., &round_trip<call::ExplainIn>,
                                             &round_trip<call::ConfinementIn>,
                                             &round_trip<call::ImportCheckIn>, &round_trip<rpc::WireError>};
}
constexpr auto every = runs(call::Every{});

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto chosen = (static_cast<std::size_t>(data[0]) << 8 | data[1]) % every.size();
    every[chosen](std::as_bytes(std::span(data, size)).subspan(2));
    return 0;
}
