/// A size with a unit: <size unit='MiB'>4</size>. Read in any unit, written in one.
/// Source: https://libvirt.org/formatdomain.html#memory-allocation
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

/// `text` in `unit` ("" : `fallback`) as bytes; nullopt for an unknown unit, no number, or an overflow.
/// Units as libvirt knows them: b, bytes, KB k KiB, MB M MiB … to EB E EiB; case does not matter.
std::optional<std::uint64_t> scaled_bytes(std::string_view text, std::string_view unit,
                                          std::string_view fallback);
Result<std::uint64_t> read_scaled(const xml::Node& node, std::string_view fallback);

/// KiB, rounded up.
struct KibSize {
    std::uint64_t kib = 0;
    xml::Rest rest{};
    bool operator==(const KibSize&) const = default;
};
/// MiB in the XML ("M"), rounded up; default unit: bytes.
struct MibSize {
    std::uint64_t mib = 0;
    xml::Rest rest{};
    bool operator==(const MibSize&) const = default;
};

inline bool takes_unit(std::string_view name, const xml::Node* child) { return !child && name == "unit"; }
template <> inline constexpr auto fields<KibSize> = xml::table(xml::special<KibSize>(
    takes_unit,
    [](const xml::Node& n, KibSize& out, xml::Flavour) -> Result<> {
        out.kib = (TRY(read_scaled(n, "KiB")) + 1023) / 1024;
        return {};
    },
    [](const KibSize& v, xml::Node& n, const xml::Style&) {
        n.set("unit", "KiB");
        n.text = std::to_string(v.kib);
    }));
template <> inline constexpr auto fields<MibSize> = xml::table(xml::special<MibSize>(
    takes_unit,
    [](const xml::Node& n, MibSize& out, xml::Flavour) -> Result<> {
        out.mib = (TRY(read_scaled(n, "b")) + (1u << 20) - 1) >> 20;
        return {};
    },
    [](const MibSize& v, xml::Node& n, const xml::Style&) {
        n.set("unit", "M");
        n.text = std::to_string(v.mib);
    }));

} // namespace cloister
