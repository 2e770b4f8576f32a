/// <tpm>: a trusted platform module: the host's, or one emulated by swtpm.
/// Source: https://libvirt.org/formatdomain.html#tpm-device
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class TpmModel { tis, crb, spapr, spapr_proxy };
template <> inline constexpr auto names<TpmModel> =
    make_names<TpmModel>({"tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy"});
static_assert(names<TpmModel>.covers(TpmModel::spapr_proxy));

enum class TpmVersion { v1_2, v2_0 };
template <> inline constexpr auto names<TpmVersion> = make_names<TpmVersion>({"1.2", "2.0"});
static_assert(names<TpmVersion>.covers(TpmVersion::v2_0));

struct TpmDevice {
    std::optional<std::string> path{};
    xml::Rest rest{};
    bool operator==(const TpmDevice&) const = default;
};
template <> inline constexpr auto fields<TpmDevice> = xml::table(xml::attr("path", &TpmDevice::path));

struct TpmPassthrough {
    std::optional<TpmDevice> device{}; ///< /dev/tpm0 when absent
    xml::Rest rest{};
    bool operator==(const TpmPassthrough&) const = default;
};
template <> inline constexpr auto fields<TpmPassthrough> =
    xml::table(xml::child("device", &TpmPassthrough::device));

struct TpmEncryption {
    Uuid secret{};
    xml::Rest rest{};
    bool operator==(const TpmEncryption&) const = default;
};
template <> inline constexpr auto fields<TpmEncryption> =
    xml::table(xml::attr("secret", &TpmEncryption::secret));

struct PcrBanks {
    bool sha1 = false, sha256 = false, sha384 = false, sha512 = false;
    xml::Rest rest{};
    bool operator==(const PcrBanks&) const = default;
};
template <> inline constexpr auto fields<PcrBanks> =
    xml::table(xml::flag("sha1", &PcrBanks::sha1), xml::flag("sha256", &PcrBanks::sha256),
               xml::flag("sha384", &PcrBanks::sha384), xml::flag("sha512", &PcrBanks::sha512));

struct TpmEmulator {
    std::optional<TpmVersion> version{};
    std::optional<YesNo> persistent_state{}; ///< kept when a transient guest stops
    std::optional<TpmEncryption> encryption{};
    std::optional<PcrBanks> active_pcr_banks{};
    xml::Rest rest{};
    bool operator==(const TpmEmulator&) const = default;
};
template <> inline constexpr auto fields<TpmEmulator> =
    xml::table(xml::attr("version", &TpmEmulator::version),
               xml::attr("persistent_state", &TpmEmulator::persistent_state),
               xml::child("encryption", &TpmEmulator::encryption),
               xml::child("active_pcr_banks", &TpmEmulator::active_pcr_banks));

struct TpmExternalSource {
    std::string type{}; ///< "unix"
    std::optional<std::string> mode{};
    std::optional<std::string> path{};
    xml::Rest rest{};
    bool operator==(const TpmExternalSource&) const = default;
};
template <> inline constexpr auto fields<TpmExternalSource> =
    xml::table(xml::attr("type", &TpmExternalSource::type), xml::attr("mode", &TpmExternalSource::mode),
               xml::attr("path", &TpmExternalSource::path));
struct TpmExternal { ///< an emulator that somebody else started
    std::optional<TpmExternalSource> source{};
    xml::Rest rest{};
    bool operator==(const TpmExternal&) const = default;
};
template <> inline constexpr auto fields<TpmExternal> =
    xml::table(xml::child("source", &TpmExternal::source));

struct Tpm {
    std::optional<TpmModel> model{};
    std::variant<TpmPassthrough, TpmEmulator, TpmExternal> backend{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Tpm&) const = default;
};
template <> inline constexpr auto fields<Tpm> =
    xml::table(xml::attr("model", &Tpm::model),
               xml::one_of("backend", "type", &Tpm::backend, xml::alt<TpmPassthrough>("passthrough"),
                           xml::alt<TpmEmulator>("emulator"), xml::alt<TpmExternal>("external")),
               xml::embed(&Tpm::info));
template <> inline constexpr const char* element<Tpm> = "tpm";

} // namespace cloister
