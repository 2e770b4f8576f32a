/// <sysinfo>: what the guest reads from SMBIOS and fw_cfg.
/// Source: https://libvirt.org/formatdomain.html#smbios-system-information
#pragma once

#include "conf/text/xml_codec.hpp"

namespace cloister {

struct SysinfoEntry {
    std::optional<std::string> name{}; ///< absent in oemStrings
    std::optional<std::string> file{}; ///< fwcfg: the content comes from this file
    std::optional<std::string> value{};
    xml::Rest rest{};
    bool operator==(const SysinfoEntry&) const = default;
};
template <> inline constexpr auto fields<SysinfoEntry> =
    xml::table(xml::attr("name", &SysinfoEntry::name), xml::attr("file", &SysinfoEntry::file),
               xml::content(&SysinfoEntry::value));
struct SysinfoBlock {
    std::vector<SysinfoEntry> entries{};
    xml::Rest rest{};
    bool operator==(const SysinfoBlock&) const = default;
};
template <> inline constexpr auto fields<SysinfoBlock> =
    xml::table(xml::child("entry", &SysinfoBlock::entries));

enum class SysinfoType { smbios, fwcfg };
template <> inline constexpr auto names<SysinfoType> = make_names<SysinfoType>({"smbios", "fwcfg"});
static_assert(names<SysinfoType>.covers(SysinfoType::fwcfg));

struct Sysinfo {
    SysinfoType type = SysinfoType::smbios;
    std::optional<SysinfoBlock> bios{}, system{};
    std::vector<SysinfoBlock> base_boards{};
    std::optional<SysinfoBlock> chassis{}, oem_strings{};
    std::vector<SysinfoEntry> entries{}; ///< of fwcfg
    xml::Rest rest{};
    bool operator==(const Sysinfo&) const = default;
};
template <> inline constexpr auto fields<Sysinfo> =
    xml::table(xml::attr("type", &Sysinfo::type), xml::child("bios", &Sysinfo::bios),
               xml::child("system", &Sysinfo::system), xml::child("baseBoard", &Sysinfo::base_boards),
               xml::child("chassis", &Sysinfo::chassis), xml::child("oemStrings", &Sysinfo::oem_strings),
               xml::child("entry", &Sysinfo::entries));

} // namespace cloister
