/// Where the data of a disk comes from: <source> and the <backingStore> chain below it.
/// Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms
#pragma once

#include "conf/part/address.hpp"
#include "conf/part/chardev.hpp"
#include "conf/part/seclabel.hpp"

namespace cloister {

/// The `type` of a disk, of a <backingStore> and of a <mirror>: which attributes of <source> count.
enum class SourceType { file, block, dir, network, volume, nvme, vhostuser };
template <> inline constexpr auto names<SourceType> =
    make_names<SourceType>({"file", "block", "dir", "network", "volume", "nvme", "vhostuser"});
static_assert(names<SourceType>.covers(SourceType::vhostuser));

struct SourceHost {
    std::optional<std::string> transport{}; ///< tcp (when absent), rdma, unix
    std::optional<std::string> socket{};    ///< of transport unix
    std::optional<std::string> name{}, port{};
    xml::Rest rest{};
    bool operator==(const SourceHost&) const = default;
};
template <> inline constexpr auto fields<SourceHost> =
    xml::table(xml::attr("transport", &SourceHost::transport), xml::attr("name", &SourceHost::name),
               xml::attr("port", &SourceHost::port), xml::attr("socket", &SourceHost::socket));

struct SecretRef {
    std::string type{}; ///< ceph, iscsi; passphrase (encryption)
    std::optional<Uuid> uuid{};
    std::optional<std::string> usage{};
    xml::Rest rest{};
    bool operator==(const SecretRef&) const = default;
};
template <> inline constexpr auto fields<SecretRef> =
    xml::table(xml::attr("type", &SecretRef::type), xml::attr("uuid", &SecretRef::uuid),
               xml::attr("usage", &SecretRef::usage));

struct SourceAuth {
    std::string username{};
    SecretRef secret{};
    xml::Rest rest{};
    bool operator==(const SourceAuth&) const = default;
};
template <> inline constexpr auto fields<SourceAuth> =
    xml::table(xml::attr("username", &SourceAuth::username), xml::child("secret", &SourceAuth::secret));

struct EncryptionCipher { ///< only used when a volume is made
    std::optional<std::string> name{}, size{}, mode{}, hash{};
    xml::Rest rest{};
    bool operator==(const EncryptionCipher&) const = default;
};
template <> inline constexpr auto fields<EncryptionCipher> =
    xml::table(xml::attr("name", &EncryptionCipher::name), xml::attr("size", &EncryptionCipher::size),
               xml::attr("mode", &EncryptionCipher::mode), xml::attr("hash", &EncryptionCipher::hash));
struct EncryptionIvgen {
    std::optional<std::string> name{}, hash{};
    xml::Rest rest{};
    bool operator==(const EncryptionIvgen&) const = default;
};
template <> inline constexpr auto fields<EncryptionIvgen> =
    xml::table(xml::attr("name", &EncryptionIvgen::name), xml::attr("hash", &EncryptionIvgen::hash));

enum class EncryptionEngine { qemu, librbd };
template <> inline constexpr auto names<EncryptionEngine> = make_names<EncryptionEngine>({"qemu", "librbd"});
static_assert(names<EncryptionEngine>.covers(EncryptionEngine::librbd));

struct SourceEncryption {
    std::string format{}; ///< luks, luks2, luks-any, qcow
    std::optional<EncryptionEngine> engine{};
    std::vector<SecretRef> secrets{};
    std::optional<EncryptionCipher> cipher{};
    std::optional<EncryptionIvgen> ivgen{};
    xml::Rest rest{};
    bool operator==(const SourceEncryption&) const = default;
};
template <> inline constexpr auto fields<SourceEncryption> = xml::table(
    xml::attr("format", &SourceEncryption::format), xml::attr("engine", &SourceEncryption::engine),
    xml::child("secret", &SourceEncryption::secrets), xml::child("cipher", &SourceEncryption::cipher),
    xml::child("ivgen", &SourceEncryption::ivgen));

struct NamedElement { ///< <snapshot name='…'/>
    std::string name{};
    xml::Rest rest{};
    bool operator==(const NamedElement&) const = default;
};
template <> inline constexpr auto fields<NamedElement> = xml::table(xml::attr("name", &NamedElement::name));

struct SourceConfig { ///< of rbd: Ceph's configuration file
    std::string file{};
    xml::Rest rest{};
    bool operator==(const SourceConfig&) const = default;
};
template <> inline constexpr auto fields<SourceConfig> = xml::table(xml::attr("file", &SourceConfig::file));

struct IscsiInitiator {
    NamedElement iqn{};
    xml::Rest rest{};
    bool operator==(const IscsiInitiator&) const = default;
};
template <> inline constexpr auto fields<IscsiInitiator> =
    xml::table(xml::child("iqn", &IscsiInitiator::iqn));

struct SourceSsl {
    YesNo verify = YesNo::yes;
    xml::Rest rest{};
    bool operator==(const SourceSsl&) const = default;
};
template <> inline constexpr auto fields<SourceSsl> = xml::table(xml::attr("verify", &SourceSsl::verify));

struct HttpCookie {
    std::string name{};
    std::string value{};
    xml::Rest rest{};
    bool operator==(const HttpCookie&) const = default;
};
template <> inline constexpr auto fields<HttpCookie> =
    xml::table(xml::attr("name", &HttpCookie::name), xml::content(&HttpCookie::value));
struct HttpCookies {
    std::vector<HttpCookie> cookies{};
    xml::Rest rest{};
    bool operator==(const HttpCookies&) const = default;
};
template <> inline constexpr auto fields<HttpCookies> =
    xml::table(xml::secret(xml::child("cookie", &HttpCookies::cookies)));

struct Readahead {
    std::uint64_t size = 0; ///< bytes
    xml::Rest rest{};
    bool operator==(const Readahead&) const = default;
};
template <> inline constexpr auto fields<Readahead> = xml::table(xml::attr("size", &Readahead::size));

struct SourceTimeout {
    std::uint64_t seconds = 0;
    xml::Rest rest{};
    bool operator==(const SourceTimeout&) const = default;
};
template <> inline constexpr auto fields<SourceTimeout> =
    xml::table(xml::attr("seconds", &SourceTimeout::seconds));

struct NfsIdentity { ///< a name or "+N"
    std::optional<std::string> user{}, group{};
    xml::Rest rest{};
    bool operator==(const NfsIdentity&) const = default;
};
template <> inline constexpr auto fields<NfsIdentity> =
    xml::table(xml::attr("user", &NfsIdentity::user), xml::attr("group", &NfsIdentity::group));

/// The part of a file or device that holds the image.
struct StorageSlice {
    std::string type{}; ///< storage
    std::uint64_t offset = 0, size = 0;
    xml::Rest rest{};
    bool operator==(const StorageSlice&) const = default;
};
template <> inline constexpr auto fields<StorageSlice> =
    xml::table(xml::attr("type", &StorageSlice::type), xml::attr("offset", &StorageSlice::offset),
               xml::attr("size", &StorageSlice::size));
struct StorageSlices {
    std::vector<StorageSlice> slices{};
    xml::Rest rest{};
    bool operator==(const StorageSlices&) const = default;
};
template <> inline constexpr auto fields<StorageSlices> =
    xml::table(xml::child("slice", &StorageSlices::slices));

/// The socket of a persistent-reservation helper.
struct ReservationSource {
    std::optional<std::string> type{}, path{}, mode{};
    xml::Rest rest{};
    bool operator==(const ReservationSource&) const = default;
};
template <> inline constexpr auto fields<ReservationSource> =
    xml::table(xml::attr("type", &ReservationSource::type), xml::attr("path", &ReservationSource::path),
               xml::attr("mode", &ReservationSource::mode));
struct Reservations {
    std::optional<YesNo> managed{};
    std::optional<ReservationSource> source{};
    xml::Rest rest{};
    bool operator==(const Reservations&) const = default;
};
template <> inline constexpr auto fields<Reservations> =
    xml::table(xml::attr("managed", &Reservations::managed), xml::child("source", &Reservations::source));

/// <source><address domain=… bus=… slot=… function=…/>: a PCI function of the host, without a type.
struct HostPci {
    PciAddress pci{};
    std::optional<std::string> type{};
    xml::Rest rest{};
    bool operator==(const HostPci&) const = default;
};
template <> inline constexpr auto fields<HostPci> =
    xml::table(xml::attr("type", &HostPci::type), xml::embed(&HostPci::pci));

/// <source>: the attributes of every SourceType side by side; the type of the element around it says which
/// count.
struct Source {
    std::optional<std::string> file{}, dev{}, dir{};        ///< file, block, dir
    std::optional<std::string> protocol{}, name{}, query{}; ///< network
    std::optional<YesNo> tls{};                             ///< network
    std::optional<std::string> tls_hostname{};              ///< network
    std::optional<std::string> pool{}, volume{}, mode{};    ///< volume; mode also vhostuser
    std::optional<std::string> type{}, path{};              ///< nvme: pci, vhostuser: unix
    std::optional<YesNo> managed{};                         ///< nvme
    std::optional<std::uint32_t> nvme_namespace{};          ///< nvme
    std::optional<std::string> startup_policy{};            ///< mandatory, requisite, optional
    std::optional<std::uint32_t> index{};                   ///< running guests: of libvirt-N-format
    std::optional<std::string> fdgroup{};
    std::optional<HostPci> address{}; ///< nvme
    std::vector<SourceHost> hosts{};
    std::optional<NamedElement> snapshot{};
    std::optional<SourceConfig> config{};
    std::optional<IscsiInitiator> initiator{};
    std::optional<SourceSsl> ssl{};
    std::optional<HttpCookies> cookies{};
    std::optional<Readahead> readahead{};
    std::optional<SourceTimeout> timeout{};
    std::optional<NfsIdentity> identity{};
    std::optional<Reconnect> reconnect{}; ///< vhostuser
    std::optional<StorageSlices> slices{};
    std::vector<DeviceSecLabel> seclabels{};
    std::optional<SourceAuth> auth{};
    std::optional<SourceEncryption> encryption{};
    std::optional<Reservations> reservations{};
    xml::Rest rest{};
    bool operator==(const Source&) const = default;
};
template <> inline constexpr auto fields<Source> = xml::table(
    xml::attr("file", &Source::file), xml::attr("dev", &Source::dev), xml::attr("dir", &Source::dir),
    xml::attr("protocol", &Source::protocol), xml::attr("name", &Source::name),
    xml::attr("query", &Source::query), xml::attr("tls", &Source::tls),
    xml::attr("tlsHostname", &Source::tls_hostname), xml::attr("pool", &Source::pool),
    xml::attr("volume", &Source::volume), xml::attr("type", &Source::type),
    xml::attr("managed", &Source::managed), xml::attr("namespace", &Source::nvme_namespace),
    xml::attr("path", &Source::path), xml::attr("mode", &Source::mode),
    xml::attr("fdgroup", &Source::fdgroup), xml::attr("startupPolicy", &Source::startup_policy),
    xml::live(xml::attr("index", &Source::index)), xml::child("address", &Source::address),
    xml::child("host", &Source::hosts), xml::child("snapshot", &Source::snapshot),
    xml::child("config", &Source::config), xml::child("initiator", &Source::initiator),
    xml::child("ssl", &Source::ssl), xml::child("cookies", &Source::cookies),
    xml::child("readahead", &Source::readahead), xml::child("timeout", &Source::timeout),
    xml::child("identity", &Source::identity), xml::child("reconnect", &Source::reconnect),
    xml::child("slices", &Source::slices), xml::child("seclabel", &Source::seclabels),
    xml::child("auth", &Source::auth), xml::child("encryption", &Source::encryption),
    xml::child("reservations", &Source::reservations));

struct SizeWithUnit {
    std::optional<std::string> unit{};
    std::uint64_t value = 0;
    xml::Rest rest{};
    bool operator==(const SizeWithUnit&) const = default;
};
template <> inline constexpr auto fields<SizeWithUnit> =
    xml::table(xml::attr("unit", &SizeWithUnit::unit), xml::content(&SizeWithUnit::value));

struct MetadataCache {
    SizeWithUnit max_size{};
    xml::Rest rest{};
    bool operator==(const MetadataCache&) const = default;
};
template <> inline constexpr auto fields<MetadataCache> =
    xml::table(xml::child("max_size", &MetadataCache::max_size));

struct ImageFormat { ///< <format type='qcow2'/>
    std::string type{};
    std::optional<MetadataCache> metadata_cache{};
    xml::Rest rest{};
    bool operator==(const ImageFormat&) const = default;
};
template <> inline constexpr auto fields<ImageFormat> = xml::table(
    xml::attr("type", &ImageFormat::type), xml::child("metadata_cache", &ImageFormat::metadata_cache));

/// One layer below the top image. Without a type (`<backingStore/>`): the chain is known to end here.
struct BackingStore {
    std::optional<SourceType> type{};
    std::optional<std::uint32_t> index{}; ///< of libvirt-N-format
    std::optional<ImageFormat> format{};
    std::optional<Source> source{};
    std::vector<BackingStore> below{}; ///< none: not known; one: the next layer
    xml::Rest rest{};
    bool ends() const { return !type; }
    bool operator==(const BackingStore& other) const;
};
template <> inline constexpr auto fields<BackingStore> =
    xml::table(xml::attr("type", &BackingStore::type), xml::live(xml::attr("index", &BackingStore::index)),
               xml::child("format", &BackingStore::format), xml::child("source", &BackingStore::source),
               xml::child("backingStore", &BackingStore::below));
inline bool BackingStore::operator==(const BackingStore& other) const {
    return type == other.type && index == other.index && format == other.format && source == other.source &&
           below == other.below && rest == other.rest;
}

/// Where a running copy or commit job writes to. Kept; planning a start ignores it.
struct Mirror {
    std::optional<SourceType> type{};
    std::optional<std::string> file{}, format_attribute{}; ///< the older spelling, beside the elements
    std::optional<std::string> job{};                      ///< copy, active-commit
    std::optional<std::string> ready{};                    ///< yes, abort, pivot
    std::optional<ImageFormat> format{};
    std::optional<Source> source{};
    std::optional<BackingStore> backing_store{};
    xml::Rest rest{};
    bool operator==(const Mirror&) const = default;
};
template <> inline constexpr auto fields<Mirror> =
    xml::table(xml::attr("type", &Mirror::type), xml::attr("file", &Mirror::file),
               xml::attr("format", &Mirror::format_attribute), xml::attr("job", &Mirror::job),
               xml::attr("ready", &Mirror::ready), xml::child("format", &Mirror::format),
               xml::child("source", &Mirror::source), xml::child("backingStore", &Mirror::backing_store));

} // namespace cloister
