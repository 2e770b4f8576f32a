/// <filesystem>: a directory of the host that the guest sees, over 9p or virtiofs.
/// Source: https://libvirt.org/formatdomain.html#filesystems
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/scaled.hpp"
#include "conf/part/virtio_options.hpp"

namespace cloister {

enum class FilesystemType { mount, block, file, template_, ram, bind, volume };
template <> inline constexpr auto names<FilesystemType> =
    make_names<FilesystemType>({"mount", "block", "file", "template", "ram", "bind", "volume"});
static_assert(names<FilesystemType>.covers(FilesystemType::volume));

enum class AccessMode { passthrough, mapped, squash };
template <> inline constexpr auto names<AccessMode> =
    make_names<AccessMode>({"passthrough", "mapped", "squash"});
static_assert(names<AccessMode>.covers(AccessMode::squash));

/// What 9p does when the directory spans several file systems.
enum class Multidevs { automatic, remap, forbid, warn };
template <> inline constexpr auto names<Multidevs> =
    make_names<Multidevs>({"default", "remap", "forbid", "warn"});
static_assert(names<Multidevs>.covers(Multidevs::warn));

/// Permission bits, written in octal.
struct OctalMode {
    std::uint32_t value = 0;
    auto operator<=>(const OctalMode&) const = default;
};
namespace xml {
template <> struct Scalar<OctalMode> {
    static std::optional<OctalMode> read(std::string_view t) {
        std::uint32_t v = 0;
        const auto [end, ec] = std::from_chars(t.data(), t.data() + t.size(), v, 8);
        if (ec != std::errc{} || end != t.data() + t.size() || v > 0777) return std::nullopt;
        return OctalMode{v};
    }
    static std::string write(OctalMode v) {
        std::string out = "0000";
        for (std::size_t i = 4, left = v.value; i-- > 0; left /= 8)
            out[i] = static_cast<char>('0' + left % 8);
        return out;
    }
};
} // namespace xml

struct FilesystemDriver {
    std::optional<std::string> type{}; ///< path (9p), virtiofs; loop, nbd, ploop, mtp, handle elsewhere
    std::optional<std::string> format{};
    std::optional<std::string> wrpolicy{}; ///< immediate
    std::optional<std::uint32_t> queue{};
    std::optional<std::string> name{};
    VirtioOptions virtio{};
    xml::Rest rest{};
    bool operator==(const FilesystemDriver&) const = default;
};
template <> inline constexpr auto fields<FilesystemDriver> = xml::table(
    xml::attr("type", &FilesystemDriver::type), xml::attr("format", &FilesystemDriver::format),
    xml::attr("wrpolicy", &FilesystemDriver::wrpolicy), xml::attr("queue", &FilesystemDriver::queue),
    xml::attr("name", &FilesystemDriver::name), xml::embed(&FilesystemDriver::virtio));

struct BinaryCache {
    std::optional<std::string> mode{}; ///< none, always
    xml::Rest rest{};
    bool operator==(const BinaryCache&) const = default;
};
template <> inline constexpr auto fields<BinaryCache> = xml::table(xml::attr("mode", &BinaryCache::mode));
struct BinarySandbox {
    std::optional<std::string> mode{}; ///< namespace, chroot
    xml::Rest rest{};
    bool operator==(const BinarySandbox&) const = default;
};
template <> inline constexpr auto fields<BinarySandbox> = xml::table(xml::attr("mode", &BinarySandbox::mode));
struct BinaryLock {
    std::optional<Switch> posix{}, flock{};
    xml::Rest rest{};
    bool operator==(const BinaryLock&) const = default;
};
template <> inline constexpr auto fields<BinaryLock> =
    xml::table(xml::attr("posix", &BinaryLock::posix), xml::attr("flock", &BinaryLock::flock));
struct BinaryThreadPool {
    std::optional<std::uint32_t> size{};
    xml::Rest rest{};
    bool operator==(const BinaryThreadPool&) const = default;
};
template <> inline constexpr auto fields<BinaryThreadPool> =
    xml::table(xml::attr("size", &BinaryThreadPool::size));

/// How virtiofsd runs.
struct FilesystemBinary {
    std::optional<std::string> path{};
    std::optional<Switch> xattr{};
    std::optional<BinaryCache> cache{};
    std::optional<BinarySandbox> sandbox{};
    std::optional<BinaryLock> lock{};
    std::optional<BinaryThreadPool> thread_pool{};
    xml::Rest rest{};
    bool operator==(const FilesystemBinary&) const = default;
};
template <> inline constexpr auto fields<FilesystemBinary> = xml::table(
    xml::attr("path", &FilesystemBinary::path), xml::attr("xattr", &FilesystemBinary::xattr),
    xml::child("cache", &FilesystemBinary::cache), xml::child("sandbox", &FilesystemBinary::sandbox),
    xml::child("lock", &FilesystemBinary::lock), xml::child("thread_pool", &FilesystemBinary::thread_pool));

struct FilesystemSource {
    std::optional<std::string> dev{}, dir{}, file{}, name{}, usage{}, units{}, pool{}, volume{};
    std::optional<std::string> socket{}; ///< of a virtiofsd that runs already
    xml::Rest rest{};
    bool operator==(const FilesystemSource&) const = default;
};
template <> inline constexpr auto fields<FilesystemSource> =
    xml::table(xml::attr("dev", &FilesystemSource::dev), xml::attr("dir", &FilesystemSource::dir),
               xml::attr("file", &FilesystemSource::file), xml::attr("name", &FilesystemSource::name),
               xml::attr("usage", &FilesystemSource::usage), xml::attr("units", &FilesystemSource::units),
               xml::attr("pool", &FilesystemSource::pool), xml::attr("volume", &FilesystemSource::volume),
               xml::attr("socket", &FilesystemSource::socket));

struct FilesystemTarget {
    std::optional<std::string> dir{}; ///< the tag that the guest mounts
    xml::Rest rest{};
    bool operator==(const FilesystemTarget&) const = default;
};
template <> inline constexpr auto fields<FilesystemTarget> =
    xml::table(xml::attr("dir", &FilesystemTarget::dir));

struct Filesystem {
    std::optional<FilesystemType> type{};   ///< mount when absent
    std::optional<AccessMode> accessmode{}; ///< passthrough when absent
    std::optional<OctalMode> fmode{}, dmode{};
    std::optional<Multidevs> multidevs{};
    std::optional<std::string> model{}; ///< virtio, virtio-transitional, virtio-non-transitional
    std::optional<FilesystemDriver> driver{};
    std::optional<FilesystemBinary> binary{};
    std::optional<FilesystemSource> source{};
    std::optional<FilesystemTarget> target{};
    bool readonly = false;
    std::optional<KibSize> space_hard_limit{}, space_soft_limit{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Filesystem&) const = default;
};
template <> inline constexpr auto fields<Filesystem> =
    xml::table(xml::attr("type", &Filesystem::type), xml::attr("accessmode", &Filesystem::accessmode),
               xml::attr("fmode", &Filesystem::fmode), xml::attr("dmode", &Filesystem::dmode),
               xml::attr("multidevs", &Filesystem::multidevs), xml::attr("model", &Filesystem::model),
               xml::child("driver", &Filesystem::driver), xml::child("binary", &Filesystem::binary),
               xml::child("source", &Filesystem::source), xml::child("target", &Filesystem::target),
               xml::flag("readonly", &Filesystem::readonly),
               xml::child("space_hard_limit", &Filesystem::space_hard_limit),
               xml::child("space_soft_limit", &Filesystem::space_soft_limit), xml::embed(&Filesystem::info));
template <> inline constexpr const char* element<Filesystem> = "filesystem";

} // namespace cloister
