/// Headers of disk images, made from scratch: what a test wants to be in them, right or wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cloister::image_bytes {

template <class T> std::string big(T number) {
    std::string out;
    for (std::size_t i = sizeof number; i-- > 0;) out += static_cast<char>(number >> (8 * i));
    return out;
}
template <class T> std::string little(T number) {
    std::string out;
    for (std::size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(number >> (8 * i));
    return out;
}
/// `bytes` with `piece` over what is at `at`, longer when it needs to be.
inline std::string with(std::string bytes, std::size_t at, std::string_view piece) {
    if (bytes.size() < at + piece.size()) bytes.resize(at + piece.size());
    return bytes.replace(at, piece.size(), piece);
}

inline constexpr std::uint32_t backing_format = 0xE2792ACA, data_file = 0x44415441;

inline std::string extension(std::uint32_t type, const std::string& data) {
    auto out = big(type) + big(static_cast<std::uint32_t>(data.size())) + data;
    out.resize((out.size() + 7) / 8 * 8);
    return out;
}
inline const std::string end = extension(0, "");

struct Qcow2 {
    std::string backing{}, extensions = end;
    std::uint32_t version = 3, cluster_bits = 16, crypt = 0, length = 104;
    std::uint64_t size = 1 << 20, incompatible = 0;
};
/// Header, extensions, the backing name behind them.
inline std::string qcow2(const Qcow2& image) {
    const auto header = image.version >= 3 ? 104U : 72U;
    const auto at = header + image.extensions.size();
    auto out = std::string("QFI\xfb") + big(image.version) +
               big(std::uint64_t{image.backing.empty() ? 0 : at}) +
               big(static_cast<std::uint32_t>(image.backing.size())) + big(image.cluster_bits) +
               big(image.size) + big(image.crypt);
    out.resize(header);
    if (image.version >= 3) out = with(with(out, 72, big(image.incompatible)), 100, big(image.length));
    return out + image.extensions + image.backing;
}
/// A qcow2 that stands on `backing`, recorded as `format`.
inline std::string on(const std::string& backing, const std::string& format = "raw") {
    return qcow2({.backing = backing, .extensions = extension(backing_format, format) + end});
}
inline std::string qcow(const std::string& backing, std::uint64_t size = 1 << 20) {
    auto out = std::string("QFI\xfb") + big(std::uint32_t{1}) +
               big(std::uint64_t{backing.empty() ? 0U : 48U}) +
               big(static_cast<std::uint32_t>(backing.size())) + big(std::uint32_t{0}) + big(size);
    return with(out, 48, backing);
}
inline std::string qed(const std::string& backing, std::uint64_t features, std::uint64_t size = 1 << 20) {
    auto out = with("QED", 16, little(features));
    out = with(out, 48,
               little(size) + little(std::uint32_t{64}) + little(static_cast<std::uint32_t>(backing.size())));
    return with(out, 64, backing);
}
/// A sparse VMDK whose description is one sector long, at sector 1.
inline std::string vmdk(const std::string& description, std::uint64_t sectors = 2048,
                        std::uint64_t length = 1) {
    auto out = with("KDMV" + little(std::uint32_t{1}), 12, little(sectors));
    out = with(out, 28, little(std::uint64_t{1}) + little(length));
    return with(with(out, 512, description), 1023, std::string_view("\0", 1));
}

} // namespace cloister::image_bytes
