/// <os>: what the guest boots, and with which firmware.
/// Source: https://libvirt.org/formatdomain.html#operating-system-booting
#pragma once

#include "conf/part/source.hpp"

namespace cloister {

struct OsType {
    std::optional<std::string> arch{};    ///< "x86_64"
    std::optional<std::string> machine{}; ///< "pc-q35-7.2"; a complete definition holds the canonical name
    std::string type{};                   ///< "hvm"
    xml::Rest rest{};
    bool operator==(const OsType&) const = default;
};
template <> inline constexpr auto fields<OsType> = xml::table(
    xml::attr("arch", &OsType::arch), xml::attr("machine", &OsType::machine), xml::content(&OsType::type));

enum class OsFirmware { bios, efi };
template <> inline constexpr auto names<OsFirmware> = make_names<OsFirmware>({"bios", "efi"});
static_assert(names<OsFirmware>.covers(OsFirmware::efi));

enum class FirmwareFeatureName { enrolled_keys, secure_boot };
template <> inline constexpr auto names<FirmwareFeatureName> =
    make_names<FirmwareFeatureName>({"enrolled-keys", "secure-boot"});
static_assert(names<FirmwareFeatureName>.covers(FirmwareFeatureName::secure_boot));

/// What automatic selection must or must not choose.
struct FirmwareFeature {
    YesNo enabled = YesNo::no;
    FirmwareFeatureName name = FirmwareFeatureName::secure_boot;
    xml::Rest rest{};
    bool operator==(const FirmwareFeature&) const = default;
};
template <> inline constexpr auto fields<FirmwareFeature> =
    xml::table(xml::attr("enabled", &FirmwareFeature::enabled), xml::attr("name", &FirmwareFeature::name));
struct FirmwareFeatures {
    std::vector<FirmwareFeature> features{};
    xml::Rest rest{};
    bool operator==(const FirmwareFeatures&) const = default;
};
template <> inline constexpr auto fields<FirmwareFeatures> =
    xml::table(xml::child("feature", &FirmwareFeatures::features));

enum class LoaderType { rom, pflash };
template <> inline constexpr auto names<LoaderType> = make_names<LoaderType>({"rom", "pflash"});
static_assert(names<LoaderType>.covers(LoaderType::pflash));

struct Loader {
    std::optional<YesNo> readonly{};
    std::optional<YesNo> secure{};
    std::optional<LoaderType> type{};
    std::optional<YesNo> stateless{};
    std::optional<std::string> path{};
    xml::Rest rest{};
    bool operator==(const Loader&) const = default;
};
template <> inline constexpr auto fields<Loader> =
    xml::table(xml::attr("readonly", &Loader::readonly), xml::attr("secure", &Loader::secure),
               xml::attr("type", &Loader::type), xml::attr("stateless", &Loader::stateless),
               xml::content(&Loader::path));

/// The firmware's variables. Either a path as text, or (with `type`) a source.
struct OsNvram {
    std::optional<std::string> template_path{};
    std::optional<SourceType> type{}; ///< absent: the text is a path
    std::optional<std::string> path{};
    std::optional<Source> source{};
    xml::Rest rest{};
    bool operator==(const OsNvram&) const = default;
};
template <> inline constexpr auto fields<OsNvram> =
    xml::table(xml::attr("type", &OsNvram::type), xml::attr("template", &OsNvram::template_path),
               xml::content(&OsNvram::path), xml::child("source", &OsNvram::source));

struct AcpiTable {
    std::string type{}; ///< "slic"
    std::string path{};
    xml::Rest rest{};
    bool operator==(const AcpiTable&) const = default;
};
template <> inline constexpr auto fields<AcpiTable> =
    xml::table(xml::attr("type", &AcpiTable::type), xml::content(&AcpiTable::path));
struct OsAcpi {
    std::vector<AcpiTable> tables{};
    xml::Rest rest{};
    bool operator==(const OsAcpi&) const = default;
};
template <> inline constexpr auto fields<OsAcpi> = xml::table(xml::child("table", &OsAcpi::tables));

enum class BootDevice { fd, cdrom, hd, network };
template <> inline constexpr auto names<BootDevice> =
    make_names<BootDevice>({"fd", "cdrom", "hd", "network"});
static_assert(names<BootDevice>.covers(BootDevice::network));

struct OsBoot {
    BootDevice dev = BootDevice::hd;
    xml::Rest rest{};
    bool operator==(const OsBoot&) const = default;
};
template <> inline constexpr auto fields<OsBoot> = xml::table(xml::attr("dev", &OsBoot::dev));

struct BootMenu {
    std::optional<YesNo> enable{};
    std::optional<std::uint32_t> timeout_ms{};
    xml::Rest rest{};
    bool operator==(const BootMenu&) const = default;
};
template <> inline constexpr auto fields<BootMenu> =
    xml::table(xml::attr("enable", &BootMenu::enable), xml::attr("timeout", &BootMenu::timeout_ms));

struct Bios {
    std::optional<YesNo> useserial{};
    std::optional<int> reboot_timeout_ms{}; ///< -1: never
    xml::Rest rest{};
    bool operator==(const Bios&) const = default;
};
template <> inline constexpr auto fields<Bios> = xml::table(
    xml::attr("useserial", &Bios::useserial), xml::attr("rebootTimeout", &Bios::reboot_timeout_ms));

enum class SmbiosMode { emulate, host, sysinfo };
template <> inline constexpr auto names<SmbiosMode> = make_names<SmbiosMode>({"emulate", "host", "sysinfo"});
static_assert(names<SmbiosMode>.covers(SmbiosMode::sysinfo));
struct Smbios {
    SmbiosMode mode = SmbiosMode::emulate;
    xml::Rest rest{};
    bool operator==(const Smbios&) const = default;
};
template <> inline constexpr auto fields<Smbios> = xml::table(xml::attr("mode", &Smbios::mode));

struct Os {
    std::optional<OsFirmware> firmware{}; ///< automatic selection
    OsType type{};
    std::optional<FirmwareFeatures> firmware_features{};
    std::optional<Loader> loader{};
    std::optional<OsNvram> nvram{};
    std::optional<std::string> kernel{}, initrd{}, cmdline{}, dtb{};
    std::optional<OsAcpi> acpi{};
    std::vector<OsBoot> boot{};
    std::optional<BootMenu> bootmenu{};
    std::optional<Bios> bios{};
    std::optional<Smbios> smbios{};
    xml::Rest rest{};
    bool operator==(const Os&) const = default;
};
template <> inline constexpr auto fields<Os> = xml::table(
    xml::attr("firmware", &Os::firmware), xml::child("type", &Os::type),
    xml::child("firmware", &Os::firmware_features), xml::child("loader", &Os::loader),
    xml::child("nvram", &Os::nvram), xml::leaf("kernel", &Os::kernel), xml::leaf("initrd", &Os::initrd),
    xml::leaf("cmdline", &Os::cmdline), xml::leaf("dtb", &Os::dtb), xml::child("acpi", &Os::acpi),
    xml::child("boot", &Os::boot), xml::child("bootmenu", &Os::bootmenu), xml::child("bios", &Os::bios),
    xml::child("smbios", &Os::smbios));

} // namespace cloister
